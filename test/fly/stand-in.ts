// A server that answers what a test tells it to, in order, and remembers what it was asked.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import type { AddressInfo, Socket } from 'node:net'
import type { ExecutionContext } from 'ava'
import { flyClient, type CallRecord, type FlyClient, type FlyClientOptions } from '../../src/fly/client.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'

export interface Asked {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** An answer, or what to do with the connection instead. */
export type Told =
  | {
      readonly status?: number
      readonly json?: unknown
      readonly text?: string
      readonly headers?: Record<string, string>
    }
  | { readonly act: (response: ServerResponse, socket: Socket) => void }

export interface StandIn {
  readonly client: FlyClient
  readonly clock: VirtualClock
  readonly asked: readonly Asked[]
  readonly records: readonly CallRecord[]
  /** How many connections were opened. */
  readonly connections: () => number
  readonly url: string
}

export const token = 'canary-8c1f-never-to-be-seen'

function answer(told: Told | undefined, response: ServerResponse): void {
  if (told === undefined) response.writeHead(599).end('{"error":"the test did not expect this call"}')
  else if ('act' in told) {
    if (response.socket !== null) told.act(response, response.socket)
  } else {
    response.writeHead(told.status ?? 200, { 'fly-request-id': '01TEST-iad', ...told.headers })
    response.end(told.text ?? (told.json === undefined ? '' : JSON.stringify(told.json)))
  }
}

/** Starts a server that closes with the test, and a client of it on a clock that stands still. */
export async function standIn(
  t: ExecutionContext,
  script: readonly Told[],
  options: Partial<FlyClientOptions> = {},
): Promise<StandIn> {
  const asked: Asked[] = []
  const records: CallRecord[] = []
  const rest = [...script]
  let connections = 0
  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = '', url = '', headers } = request
    asked.push({ method, url, headers, body: await text(request) })
    answer(rest.shift(), response)
  }
  const server = createServer((request, response) => void respond(request, response))
  server.on('connection', () => connections++)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const clock = new VirtualClock()
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const log = (record: CallRecord): void => void records.push(record)
  const client = flyClient({ baseUrl: url, token, clock, limits: 'off', log, ...options })
  return { client, clock, asked, records, connections: () => connections, url }
}

export const machine = { id: '148e21ea7e46e8', name: 'kc-dev-a-1', state: 'started', region: 'iad', instance_id: '01V' }
