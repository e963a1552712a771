// Browsers and apps that ask to be let into a tenant's gateway: OpenClaw's own list, asked of the gateway each time.
import { z } from 'zod'
import type { Clock } from '../../specs/clock.ts'
import type { Tenant } from '../../specs/tenant.ts'
import { callGateway, GatewayRefusal } from './rpc.ts'

const scopes = z.array(z.string()).optional()

const device = z.looseObject({
  deviceId: z.string(),
  displayName: z.string().optional(),
  platform: z.string().optional(),
  clientId: z.string().optional(),
  remoteIp: z.string().optional(),
  role: z.string().optional(),
  scopes,
})

const listed = z.looseObject({
  pending: z.array(device.extend({ requestId: z.string(), ts: z.number().optional() })).default([]),
  paired: z.array(device.extend({ approvedAtMs: z.number().optional() })).default([]),
})

export type PendingPairing = z.infer<typeof listed>['pending'][number]
export type PairedDevice = z.infer<typeof listed>['paired'][number]

/** The gateway does not run, or does not answer, now. */
export class GatewayUnavailable extends Error {
  override readonly name = 'GatewayUnavailable'
}

export interface Pairings {
  list(
    tenant: Tenant,
  ): Promise<{ readonly pending: readonly PendingPairing[]; readonly paired: readonly PairedDevice[] }>
  /** False when there is no such request any more. */
  decide(tenant: Tenant, requestId: string, word: 'approve' | 'reject'): Promise<boolean>
}

export interface PairingOptions {
  readonly keys: { bridgeKey(uid: string, incarnation: number): Uint8Array; gatewayToken(uid: string): string }
  readonly clock: Clock
  readonly timeoutMs: number
}

/** The pairings of tenants' gateways; each throws a GatewayUnavailable when the gateway cannot be asked now. */
export function pairingsOf({ keys, clock, timeoutMs }: PairingOptions): Pairings {
  async function call({ uid, status: { route } }: Tenant, method: string, params: object): Promise<unknown> {
    if (route.kind !== 'forward') throw new GatewayUnavailable('The tenant’s gateway does not run now.')
    const { address, port, incarnation } = route
    const target = { address, port, uid, incarnation }
    const access = { bridgeKey: keys.bridgeKey(uid, incarnation), token: keys.gatewayToken(uid) }
    try {
      return await callGateway({ target, ...access, clock, timeoutMs }, method, params)
    } catch (error) {
      if (error instanceof GatewayRefusal && error.code !== 'UNAVAILABLE') throw error
      const why = error instanceof Error ? error.message : String(error)
      throw new GatewayUnavailable(`The tenant’s gateway cannot be asked now: ${why}.`, { cause: error })
    }
  }
  return {
    list: async (tenant) => listed.parse(await call(tenant, 'device.pair.list', {})),
    async decide(tenant, requestId, word) {
      const { pending } = listed.parse(await call(tenant, 'device.pair.list', {}))
      if (!pending.some((each) => each.requestId === requestId)) return false
      await call(tenant, `device.pair.${word}`, { requestId })
      return true
    },
  }
}
