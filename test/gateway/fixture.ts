// A small gateway that speaks OpenClaw's WebSocket protocol, behind the real bridge.
import type { ExecutionContext } from 'ava'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { WebSocketServer, type WebSocket } from 'ws'
import type { GatewayCall } from '../../src/gateway/rpc.ts'
import { realClock } from '../../src/clock.ts'
import { openBridge } from '../helpers/bridge.ts'

type Answer = (params: Record<string, unknown>) => unknown

interface Request {
  readonly id: string
  readonly method: string
  readonly params: Record<string, unknown> & { readonly auth?: { readonly token?: string } }
}

const refusal = (code: string, message: string) => ({ code, message })

function serve(socket: WebSocket, token: string, methods: Readonly<Record<string, Answer>>): void {
  const send = (frame: object) => socket.send(JSON.stringify(frame))
  let known = false
  send({ type: 'event', event: 'connect.challenge', payload: { nonce: 'n', ts: 1 } })
  socket.on('message', (data: Buffer) => {
    const { id, method, params } = JSON.parse(data.toString()) as Request
    const answer = methods[method]
    if (method === 'connect') {
      known = params.auth?.token === token
      const error = refusal('INVALID_REQUEST', 'unauthorized: token mismatch')
      send(known ? { type: 'res', id, ok: true, payload: { type: 'hello-ok' } } : { type: 'res', id, ok: false, error })
      send({ type: 'event', event: 'tick', payload: {} })
    } else if (!known || answer === undefined)
      send({ type: 'res', id, ok: false, error: refusal('UNAVAILABLE', 'not now') })
    else send({ type: 'res', id, ok: true, payload: answer(params) })
  })
}

/** The gateway and how it is called. */
export async function startGateway(
  t: ExecutionContext,
  methods: Readonly<Record<string, Answer>>,
): Promise<GatewayCall> {
  const token = 'the-gateway-token'
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  server.on('connection', (socket) => serve(socket, token, methods))
  await once(server, 'listening')
  const bridgeKey = new Uint8Array(randomBytes(32))
  const identity = { uid: 'tenantuidone', incarnation: 2 }
  const { port: targetPort } = server.address() as AddressInfo
  const { bridge, port } = await openBridge({ ...identity, targetPort, key: bridgeKey })
  t.teardown(async () => {
    await bridge.close()
    server.close()
  })
  const target = { address: '127.0.0.1', port, ...identity }
  return { target, bridgeKey, token, clock: realClock, timeoutMs: 5_000 }
}
