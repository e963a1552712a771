// What the guest tests share: a machine's start as the simulator would give it, with the real machine config, and requests
// over a proved connection.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import { mkdirSync, mkdtempSync, realpathSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { machineConfig } from '../../boot/machine.ts'
import { dialProved } from '../../proxy/handshake.ts'
import { realClock } from '../../src/clock.ts'
import type { GuestHost, GuestStart } from '../../src/sim/guest-host.ts'
import { freePort } from '../helpers/bridge.ts'

export const token = 'a-gateway-token-for-tests-0001'
export const key = new Uint8Array(randomBytes(32))

export const temporary = (): string => realpathSync(mkdtempSync(path.join(os.tmpdir(), 'moorage-')))

/** A machine's start; `scale` 0 makes it ready at once. */
export async function guestStart(
  machine: string,
  more: {
    readonly uid?: string
    readonly scale?: number
    readonly env?: Record<string, string>
    readonly folder?: string
  } = {},
): Promise<GuestStart> {
  const folder = more.folder ?? temporary()
  const volumeFolder = path.join(folder, 'volume')
  const rootFolder = path.join(folder, 'root')
  mkdirSync(volumeFolder, { recursive: true })
  const { env } = machineConfig({
    image: 'example/image@sha256:0',
    guest: { cpuKind: 'shared', cpus: 1, memoryMb: 2048 },
    region: 'iad',
    volumeId: 'vol_1',
    identity: {
      environment: 'test',
      uid: more.uid ?? 'tenantuidone',
      incarnation: 2,
      tenant: 'acme',
      term: 1,
      record: 'cmVj',
    },
    secrets: { gatewayToken: token, bridgeKey: key, llmToken: 'jwt' },
    gateway: {
      hosts: ['acme.localhost'],
      publicOrigin: 'http://acme.localhost:7080',
      managed: true,
      llmBaseUrl: 'http://llm.internal/v1',
      maySleep: true,
      overlay: undefined,
    },
    bootScript: 'true',
    bridgeSource: '',
  })
  const port = await freePort()
  return {
    machine,
    address: '127.0.0.1',
    port,
    env: { ...env, FLY_PRIVATE_IP: '127.0.0.1', ...more.env },
    volumeFolder,
    rootFolder,
    scale: more.scale ?? 0,
    launch: { command: [], files: [], mountPath: '/data', signal: 'SIGTERM', killAfterMs: 5_000 },
  }
}

/** A proved connection to a guest. */
export function connect({ address, port, env }: GuestStart, incarnation = 2) {
  const target = { address, port, uid: env['MOORAGE_UID'] ?? '', incarnation }
  return dialProved(target, key, { clock: realClock, timeoutMs: 5_000 })
}

export interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
  readonly boot: string
}

/** One request on a connection of its own. */
export async function ask(
  start: GuestStart,
  url: string,
  options: { readonly method?: string; readonly headers?: Record<string, string>; readonly body?: string } = {},
): Promise<Answer> {
  const { socket, boot } = await connect(start)
  const { method = 'GET', headers = {}, body } = options
  const request = http.request({
    method,
    path: url,
    createConnection: () => socket,
    headers: { host: 'acme.localhost', ...headers },
  })
  request.end(body)
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  const parts = (await response.toArray()) as Buffer[]
  socket.destroy()
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts).toString(), boot }
}

/** Ends a test's guests when the test is over. */
export function ending(t: { teardown(end: () => Promise<void>): void }, host: GuestHost): GuestHost {
  t.teardown(() => host.close())
  return host
}
