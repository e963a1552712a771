// The REST API as a server of its own.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ClassDocument } from '../../specs/class.ts'
import type { Clock } from '../../specs/clock.ts'
import type { CertificatePolicy } from '../../specs/names.ts'
import type { Tenant } from '../../specs/tenant.ts'
import type { Tenants } from '../store/tenants.ts'
import { apiApp } from './app.ts'

export interface ApiLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export interface Readiness {
  readonly ok: boolean
  readonly checks: Readonly<Record<string, string>>
}

export interface ApiOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly tenants: Tenants
  readonly classes: ReadonlyMap<string, ClassDocument>
  readonly policy: CertificatePolicy
  readonly adminToken: string
  readonly clock: Clock
  readonly log: ApiLog
  readonly jwks: () => object
  readonly ready: () => Promise<Readiness>
  readonly wake: (uid: string) => void
  readonly preview: ((tenant: Tenant) => Promise<unknown>) | undefined
}

export interface RunningApi {
  readonly url: string
  readonly port: number
  close(): Promise<void>
}

const drainMs = 5_000

/** Starts listening. Rejects when the port is taken. */
export async function startApi(options: ApiOptions): Promise<RunningApi> {
  const { host, port, clock } = options
  const callback = apiApp(options).callback()
  const server = createServer({ requestTimeout: 30_000, headersTimeout: 10_000 }, (request, response) => {
    void callback(request, response)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  const address = server.address() as AddressInfo
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`,
    port: address.port,
    close: () =>
      new Promise((resolve) => {
        const cancel = clock.after(drainMs, () => server.closeAllConnections())
        server.close(() => {
          cancel()
          resolve()
        })
        server.closeIdleConnections()
      }),
  }
}
