// Where a tenant's bytes go, and the one text that names it. Pure.
import type { ForwardRoute } from '../specs/route.ts'

export interface Target {
  /**
   * Tenant, machine, incarnation, address and port in one text: two targets that differ in any of them never share a
   * connection. The address alone would not do, because Fly moves private addresses between machines.
   */
  readonly key: string
  readonly uid: string
  readonly machine: string
  readonly incarnation: number
  readonly address: string
  readonly port: number
}

export function targetOf(uid: string, { machine, incarnation, address, port }: ForwardRoute): Target {
  const parts = [uid, machine, incarnation, address, port]
  return { key: parts.map((part) => encodeURIComponent(part)).join('/'), uid, machine, incarnation, address, port }
}
