// Asks the gateway in a machine whether it is ready, over a connection on which both sides have proved who they are.
import http from 'node:http'
import type { Socket } from 'node:net'
import { dialProved, DialError } from '../proxy/handshake.ts'
import type { ObservedGuest, ObservedMachine } from '../reconciler/observed.ts'
import type { Probe, Secrets } from '../reconciler/ports.ts'
import type { Clock } from '../specs/clock.ts'

export interface ProbeOptions {
  readonly secrets: Secrets
  readonly clock: Clock
  /** The bridge's port on the private address. */
  readonly port: number
  /** For the connection, and again for each of the two questions. */
  readonly timeoutMs: number
}

/** The status of one GET over a connection that is already there. Our own calls carry no X-Forwarded-For. */
function get(agent: http.Agent, path: string, token: string | undefined, timeoutMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { host: 'localhost', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) }
    const request = http.get({ agent, path, headers, timeout: timeoutMs }, (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode ?? 0))
      response.on('error', reject)
    })
    request.on('timeout', () => request.destroy(new Error(`no answer to ${path} in ${timeoutMs} ms`)))
    request.on('error', reject)
  })
}

function agentOver(socket: Socket): http.Agent {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  agent.createConnection = () => socket
  return agent
}

/** Ready is `/startupz` and a call that only the right token passes: a bare 200 proves nothing. */
async function askGateway(socket: Socket, boot: string, token: string, timeoutMs: number): Promise<ObservedGuest> {
  const agent = agentOver(socket)
  try {
    if ((await get(agent, '/startupz', undefined, timeoutMs)) !== 200) return { kind: 'starting', boot }
    const status = await get(agent, '/control-ui-config.json', token, timeoutMs)
    return status === 200
      ? { kind: 'ready', boot }
      : { kind: 'unreachable', why: `its token was answered with ${status}` }
  } catch (error) {
    // The bridge has proved itself, and the gateway behind it does not listen yet or has just stopped.
    if (error instanceof Error) return { kind: 'starting', boot }
    throw error
  } finally {
    agent.destroy()
    socket.destroy()
  }
}

/** The probe of the machines' gateways. */
export function gatewayProbe({ secrets, clock, port, timeoutMs }: ProbeOptions): Probe {
  const ask = async ({ address, uid, incarnation }: ObservedMachine): Promise<ObservedGuest> => {
    try {
      const key = secrets.bridgeKey(uid, incarnation)
      const { socket, boot } = await dialProved({ address, port, uid, incarnation }, key, { clock, timeoutMs })
      return await askGateway(socket, boot, secrets.gatewayToken(uid), timeoutMs)
    } catch (error) {
      if (!(error instanceof DialError)) throw error
      return error.code === 'mismatch' ? { kind: 'mismatch' } : { kind: 'unreachable', why: error.message }
    }
  }
  return { ask }
}
