// Calls to the gateway in a tenant's machine: its WebSocket protocol, over a connection on which both sides have proved who
// they are. OpenClaw takes a caller without forwarded headers for its own backend, with every right that the token has.
import type { Socket } from 'node:net'
import { WebSocket } from 'ws'
import { dialProved, type DialTarget } from '../../proxy/handshake.ts'
import type { Clock } from '../../specs/clock.ts'

const protocol = 4
const scopes = ['operator.admin', 'operator.read', 'operator.write', 'operator.approvals', 'operator.pairing']

/** The gateway answered, and said no. */
export class GatewayRefusal extends Error {
  override readonly name = 'GatewayRefusal'
  /** OpenClaw's own word, such as `UNAVAILABLE` or `INVALID_REQUEST`. */
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

export interface GatewayCall {
  readonly target: DialTarget
  readonly bridgeKey: Uint8Array
  readonly token: string
  readonly clock: Clock
  /** For the whole call. */
  readonly timeoutMs: number
}

interface Frame {
  readonly event?: string
  readonly id?: string
  readonly ok?: boolean
  readonly payload?: unknown
  readonly error?: { readonly code?: string; readonly message?: string }
}

/** What is to be said, frame by frame: `connect` after the challenge, then the call itself. */
function nextOf(frame: Frame, call: { method: string; params: object; token: string }): object | 'done' | undefined {
  if (frame.event === 'connect.challenge') {
    const client = { id: 'gateway-client', version: '1', platform: 'linux', mode: 'backend' }
    const auth = { token: call.token }
    const params = { minProtocol: protocol, maxProtocol: protocol, client, role: 'operator', scopes, auth }
    return { type: 'req', id: 'connect', method: 'connect', params }
  }
  if (frame.id !== 'connect' && frame.id !== 'call') return undefined
  if (frame.ok !== true)
    throw new GatewayRefusal(frame.error?.code ?? 'UNKNOWN', frame.error?.message ?? 'the gateway refused')
  return frame.id === 'call' ? 'done' : { type: 'req', id: 'call', method: call.method, params: call.params }
}

function converse(socket: Socket, options: GatewayCall, method: string, params: object): Promise<unknown> {
  const { token, clock, timeoutMs } = options
  const line = new WebSocket('ws://localhost/', { createConnection: () => socket, perMessageDeflate: false })
  return new Promise((resolve, reject) => {
    const settle = (end: () => void) => {
      cancel()
      line.removeAllListeners('close')
      line.close()
      socket.destroySoon()
      end()
    }
    const cancel = clock.after(timeoutMs, () =>
      settle(() => reject(new Error(`the gateway did not answer ${method} within ${timeoutMs} ms`))),
    )
    line.on('error', (error) => settle(() => reject(error)))
    line.on('close', (code) => settle(() => reject(new Error(`the gateway closed the connection (${code})`))))
    line.on('message', (data: Buffer) => {
      try {
        const frame = JSON.parse(data.toString('utf8')) as Frame
        const next = nextOf(frame, { method, params, token })
        if (next === 'done') settle(() => resolve(frame.payload))
        else if (next !== undefined) line.send(JSON.stringify(next))
      } catch (error) {
        settle(() => reject(error instanceof Error ? error : new Error(String(error))))
      }
    })
  })
}

/**
 * Calls one method of the gateway and answers its payload.
 *
 * @throws {GatewayRefusal} what the gateway says no to
 * @throws {DialError} when the machine cannot be reached or is another one
 * @throws {Error} when it does not answer in time
 */
export async function callGateway(options: GatewayCall, method: string, params: object = {}): Promise<unknown> {
  const { target, bridgeKey, clock, timeoutMs } = options
  const { socket } = await dialProved(target, bridgeKey, { clock, timeoutMs })
  return converse(socket, options, method, params)
}
