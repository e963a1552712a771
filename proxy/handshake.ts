// The client half of the bridge protocol: a connection to a machine's private address that has proved, before any byte of a
// request flows, that this machine is the tenant and the incarnation that is meant. The server half is boot/bridge.mjs.
import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto'
import net from 'node:net'
import type { Clock } from '../specs/clock.ts'

/** A vanished peer is noticed by probes after this silence; the kernel's own default is two hours. */
export const keepAliveMs = 30_000

const LINE_BYTES = 512
const PROOF = /^OK ([0-9a-f]{32}) ([0-9a-f]{32}) ([0-9a-f]{64})$/
const RETRY = /^RETRY ([0-9a-f]{32})$/

/**
 * Why no proved connection came about. `refused`: nothing listens there. `unreachable`: the address does not answer.
 * `mismatch`: something answered, and could not or would not prove that it is the one that is meant. `timeout`: no proof in time.
 */
export type DialErrorCode = 'unreachable' | 'refused' | 'mismatch' | 'timeout'

export class DialError extends Error {
  override readonly name = 'DialError'
  readonly code: DialErrorCode
  constructor(code: DialErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

export interface DialTarget {
  /** An IP literal without brackets. */
  readonly address: string
  readonly port: number
  readonly uid: string
  readonly incarnation: number
}

export interface DialOptions {
  readonly clock: Pick<Clock, 'now' | 'bytes'>
  /** For the connection and the proof together, in milliseconds. */
  readonly timeoutMs: number
}

export interface ProvedConnection {
  /** Nothing read, no listeners, no timer: as a socket that has just connected. */
  readonly socket: net.Socket
  /** The machine's boot: the same after a resume, another one after a restart. */
  readonly boot: string
}

interface Dial extends DialTarget, DialOptions {
  readonly key: KeyObject
}

const macOf = (key: KeyObject, parts: readonly string[]) => createHmac('sha256', key).update(parts.join('\n')).digest()

/** One hello, with the nonce that its answer must contain. */
function hello({ key, uid, incarnation, address, clock }: Dial, challenge: string | undefined) {
  const nonce = Buffer.from(clock.bytes(16)).toString('hex')
  const words = [uid, String(incarnation), address, String(Math.trunc(clock.now())), nonce]
  if (challenge !== undefined) words.push(challenge)
  const mac = macOf(key, ['moorage/1 hello', ...words]).toString('hex')
  return { nonce, line: ['MOORAGE/1', ...words, mac].join(' ') + '\n' }
}

/** The boot that a proof line proves, undefined when it proves nothing. */
function provedBoot({ key, uid, incarnation }: Dial, nonce: string, line: string): string | undefined {
  const [, nonce2, boot, mac] = PROOF.exec(line) ?? []
  if (nonce2 === undefined || boot === undefined || mac === undefined) return undefined
  const wanted = macOf(key, ['moorage/1 proof', uid, String(incarnation), nonce, nonce2, boot])
  return timingSafeEqual(wanted, Buffer.from(mac, 'hex')) ? boot : undefined
}

function connectError(where: string, error: NodeJS.ErrnoException): DialError {
  const options = { cause: error }
  if (error.code === 'ECONNREFUSED') return new DialError('refused', `nothing listens on ${where}`, options)
  if (error.code === 'ETIMEDOUT') return new DialError('timeout', `${where} did not answer in time`, options)
  return new DialError('unreachable', `${where} cannot be reached: ${error.message}`, options)
}

/** The conversation on one connection, as a machine that is fed lines: the answer to each, or the end. */
function conversation(dial: Dial) {
  let asked = hello(dial, undefined)
  let retried = false
  return {
    opening: asked.line,
    next(line: string): { kind: 'say'; line: string } | { kind: 'proved'; boot: string } | { kind: 'mismatch' } {
      const challenge = RETRY.exec(line)?.[1]
      if (challenge !== undefined && !retried) {
        retried = true
        asked = hello(dial, challenge)
        return { kind: 'say', line: asked.line }
      }
      const boot = provedBoot(dial, asked.nonce, line)
      return boot === undefined ? { kind: 'mismatch' } : { kind: 'proved', boot }
    },
  }
}

/**
 * Lines off a socket; undefined until one is complete. What follows a line goes back into the socket. (What precedes its
 * end must not: an unshifted piece makes the socket readable again, for ever.)
 */
function lineReader(socket: net.Socket): () => string | undefined {
  let partial = Buffer.alloc(0)
  return () => {
    const chunk = socket.read() as Buffer | null
    if (chunk === null) return undefined
    partial = Buffer.concat([partial, chunk])
    const end = partial.indexOf(10)
    if (end === -1 && partial.length < LINE_BYTES) return undefined
    const line = partial.toString('latin1', 0, end === -1 ? LINE_BYTES : end)
    const rest = end === -1 ? Buffer.alloc(0) : partial.subarray(end + 1)
    partial = Buffer.alloc(0)
    if (rest.length > 0) socket.unshift(rest)
    return line
  }
}

/** Holds the conversation on a fresh socket; its listeners and its timer are gone when the promise settles. */
function prove(socket: net.Socket, dial: Dial, where: string): Promise<string> {
  const { clock, timeoutMs } = dial
  const until = clock.now() + timeoutMs
  const talk = conversation(dial)
  const nextLine = lineReader(socket)
  return new Promise((resolve, reject) => {
    let connected = false
    const leave = () => {
      socket.setTimeout(0)
      socket.off('connect', onConnect).off('readable', onReadable).off('timeout', onTimeout)
      socket.off('error', onError).off('end', onEnd).off('close', onEnd)
    }
    const fail = (error: DialError) => {
      leave()
      reject(error)
    }
    const onTimeout = () => fail(new DialError('timeout', `${where} did not prove itself within ${timeoutMs} ms`))
    const onEnd = () => fail(new DialError('mismatch', `${where} closed the connection instead of proving itself`))
    const onError = (error: Error) => {
      if (connected) onEnd()
      else fail(connectError(where, error))
    }
    const onConnect = () => {
      connected = true
      socket.write(talk.opening, 'latin1')
    }
    const onReadable = () => {
      const line = nextLine()
      // A drip of single bytes must not stretch the limit, which the socket starts anew with each of them.
      const left = until - clock.now()
      if (left <= 0) onTimeout()
      else socket.setTimeout(left)
      if (left <= 0 || line === undefined) return
      const step = talk.next(line)
      if (step.kind === 'say') socket.write(step.line, 'latin1')
      else if (step.kind === 'mismatch') fail(new DialError('mismatch', `${where} is not the machine that is meant`))
      else {
        leave()
        resolve(step.boot)
      }
    }
    socket.setTimeout(timeoutMs)
    socket.on('connect', onConnect).on('readable', onReadable).on('timeout', onTimeout)
    socket.on('error', onError).on('end', onEnd).on('close', onEnd)
  })
}

/**
 * The key as Node's own: it costs as much as several connections to make one.
 *
 * @throws {TypeError} when the key has not 32 bytes
 */
export function dialKey(key: Uint8Array): KeyObject {
  if (key.length !== 32) throw new TypeError('the bridge key has 32 bytes')
  return createSecretKey(key)
}

/**
 * Dials a machine and lets it prove who it is. The socket comes back as if it had just connected; what the gateway may have
 * sent already is still in it.
 *
 * @throws {DialError} never with a connection left open
 * @param key as bytes, or made by `dialKey` where it is used more than once
 * @throws {TypeError} when the key has not 32 bytes or the address is no IP literal
 */
export async function dialProved(
  target: DialTarget,
  key: Uint8Array | KeyObject,
  options: DialOptions,
): Promise<ProvedConnection> {
  const made = key instanceof Uint8Array ? dialKey(key) : key
  if (net.isIP(target.address) === 0) throw new TypeError('a machine is dialled by its IP address')
  const socket = net.connect({
    host: target.address,
    port: target.port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: keepAliveMs,
  })
  try {
    const boot = await prove(socket, { ...target, ...options, key: made }, `${target.address} port ${target.port}`)
    return { socket, boot }
  } catch (error) {
    socket.destroy()
    throw error
  }
}
