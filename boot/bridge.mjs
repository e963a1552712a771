// The bridge: from the machine's private address to the gateway on loopback, for callers that prove they mean this machine.
// Plain JavaScript without dependencies: `node --import` loads it into the stock image's gateway process.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import net from 'node:net'
import { isMainThread } from 'node:worker_threads'

const LINE_BYTES = 512
const HELLO_MS = 5_000
const WINDOW_MS = 300_000
const NONCES = 16_384
const PENDING = 2_048
const BIND_FOR_MS = 30_000
const BIND_AGAIN_MS = 250
const KEEP_ALIVE_MS = 60_000
const CHECK_MS = 10_000
/** The exit code when the bridge cannot listen: the machine's restart policy acts on it. */
export const CANNOT_LISTEN = 71

const HELLO =
  /^MOORAGE\/1 (?<uid>\S{1,64}) (?<inc>\d{1,10}) (?<address>\S{1,64}) (?<ts>\d{1,15}) (?<nonce>[0-9a-f]{32})(?: (?<challenge>[0-9a-f]{32}))? (?<mac>[0-9a-f]{64})$/

/**
 * @typedef {object} BridgeOptions
 * @property {string} host The one address to listen on, an IP literal; never a wildcard.
 * @property {number} port
 * @property {number} targetPort The gateway's port on 127.0.0.1.
 * @property {string} uid
 * @property {number} incarnation
 * @property {Uint8Array} key 32 bytes that only this machine and the proxy know.
 * @property {() => number} [now] Epoch milliseconds.
 * @property {(error: Error) => void} [onFatal] The address could not be bound; by default the error is thrown.
 * @property {() => void} [onListening]
 * @property {string} [boot] Only for a stand-in that resumes: the id it had before.
 * @property {number} [bindForMs] How long to try again when the address is not there yet, or taken.
 * @property {number} [checkMs] How often to look whether the address still takes connections.
 * @property {number} [pending] Connections that have not proved themselves; the oldest gives way.
 * @property {number} [nonces] Nonces remembered.
 *
 * @typedef {object} Bridge
 * @property {string} boot 32 hex digits, one id per boot: it survives a suspend, not a restart.
 * @property {() => number} connections Connections open now, proved or not.
 * @property {() => void} unref Lets the process end although the bridge listens.
 * @property {() => Promise<void>} close Ends the listener and every connection.
 *
 * @typedef {{ uid: string, inc: string, address: string, ts: string, nonce: string, challenge: string | undefined, mac: string }} Hello
 * @typedef {{ uid: string, incarnation: string, address: string | undefined, key: Uint8Array, boot: string, now: () => number, targetPort: number, fresh: (nonce: string, ts: number, now: number) => 'yes' | 'stale' | 'seen' }} Identity
 */

/** The text form that two spellings of one address share; undefined when it is no plain IP literal. */
const canonical = (/** @type {string} */ address) => {
  if (net.isIPv4(address)) return address
  return net.isIPv6(address) && !address.includes('%') ? new URL(`http://[${address}]/`).hostname : undefined
}

const macOf = (/** @type {Uint8Array} */ key, /** @type {string[]} */ parts) =>
  createHmac('sha256', key).update(parts.join('\n')).digest()

/**
 * Remembers nonces so that a hello counts once. `floor` is the youngest time that memory no longer covers (at first the
 * start itself): an older hello might be a repeat, so it must answer a challenge. Memory is bounded, correctness is not traded.
 * @returns {Identity['fresh']}
 */
function nonceMemory(/** @type {number} */ floor, /** @type {number} */ most) {
  /** @type {Map<string, number>} */
  const seen = new Map()
  return (nonce, ts, now) => {
    if (Math.abs(now - ts) > WINDOW_MS || ts <= floor) return 'stale'
    if (seen.has(nonce)) return 'seen'
    for (const [old, at] of seen) {
      if (seen.size < most && now - at <= WINDOW_MS) break
      seen.delete(old)
      floor = Math.max(floor, at)
    }
    seen.set(nonce, ts)
    return 'yes'
  }
}

/**
 * What one line is answered with; undefined closes the connection without a word.
 * @param {Identity} me
 * @param {string} line
 * @param {string | undefined} challenge The one this connection was given, if it was given one.
 * @returns {{ kind: 'proved' | 'retry', text: string } | undefined}
 */
function answer(me, line, challenge) {
  const hello = /** @type {Hello | undefined} */ (HELLO.exec(line)?.groups)
  if (hello === undefined || hello.challenge !== challenge) return undefined
  if (hello.uid !== me.uid || hello.inc !== me.incarnation || canonical(hello.address) !== me.address) return undefined
  const asked = hello.challenge === undefined ? [] : [hello.challenge]
  const parts = ['moorage/1 hello', hello.uid, hello.inc, hello.address, hello.ts, hello.nonce, ...asked]
  if (!timingSafeEqual(macOf(me.key, parts), Buffer.from(hello.mac, 'hex'))) return undefined
  if (challenge === undefined) {
    const fresh = me.fresh(hello.nonce, Number(hello.ts), me.now())
    if (fresh === 'seen') return undefined
    if (fresh === 'stale') return { kind: 'retry', text: randomBytes(16).toString('hex') }
  }
  const nonce = randomBytes(16).toString('hex')
  const proof = macOf(me.key, ['moorage/1 proof', me.uid, me.incarnation, hello.nonce, nonce, me.boot])
  return { kind: 'proved', text: `OK ${nonce} ${me.boot} ${proof.toString('hex')}\n` }
}

/**
 * Reads hellos until one is proved. Nothing may follow a line: a caller that sends before it was answered is not ours.
 */
function greet(/** @type {Identity} */ me, /** @type {net.Socket} */ client, /** @type {() => void} */ proved) {
  let read = /** @type {Buffer} */ (Buffer.alloc(0))
  let challenge = /** @type {string | undefined} */ (undefined)
  const give = () => void client.destroy()
  const limit = setTimeout(give, HELLO_MS)
  limit.unref()
  client.on('close', () => clearTimeout(limit))
  client.on('end', give)
  client.on('data', (/** @type {Buffer} */ chunk) => {
    read = Buffer.concat([read, chunk])
    const end = read.indexOf(10)
    if (end === -1 ? read.length >= LINE_BYTES : end >= LINE_BYTES || end + 1 < read.length) {
      give()
      return
    }
    if (end === -1) return
    const reply = answer(me, read.toString('latin1', 0, end), challenge)
    read = Buffer.alloc(0)
    if (reply === undefined) {
      give()
      return
    }
    if (reply.kind === 'retry') {
      challenge = reply.text
      client.write(`RETRY ${challenge}\n`)
      return
    }
    clearTimeout(limit)
    client.off('end', give).removeAllListeners('data')
    client.write(reply.text)
    proved()
  })
}

/** Node cannot reset a socket while its FIN is under way: that fails with EINVAL, and the handle stays and spins. */
function reset(/** @type {net.Socket} */ socket) {
  const ending = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0
  if (ending) socket.destroy()
  else socket.resetAndDestroy()
}

/**
 * Joins a proved connection to the gateway, each direction ending by itself. A broken side breaks the other with a reset,
 * so that a cut answer never looks like a complete one.
 */
function join(/** @type {net.Socket} */ client, /** @type {net.Socket} */ gateway) {
  let reached = false
  gateway.on('connect', () => (reached = true))
  gateway.on('error', () => (reached ? reset(client) : client.destroySoon()))
  client.on('error', () => reset(gateway))
  gateway.on('close', () => client.destroySoon())
  client.on('close', () => gateway.destroySoon())
  client.pipe(gateway)
  gateway.pipe(client)
}

/** Takes connections: an unproved one gives way to a newer one when there are too many. */
function acceptor(/** @type {Identity} */ me, /** @type {Set<net.Socket>} */ open, /** @type {number} */ most) {
  /** @type {Set<net.Socket>} */
  const waiting = new Set()
  const keep = (/** @type {net.Socket} */ socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
  }
  return (/** @type {net.Socket} */ client) => {
    keep(client)
    client.on('error', () => client.destroy())
    client.on('close', () => waiting.delete(client))
    for (const oldest of waiting) {
      if (waiting.size < most) break
      waiting.delete(oldest)
      oldest.destroy()
    }
    waiting.add(client)
    greet(me, client, () => {
      waiting.delete(client)
      const gateway = net.connect({ host: '127.0.0.1', port: me.targetPort, allowHalfOpen: true, noDelay: true })
      keep(gateway)
      join(client, gateway)
    })
  }
}

/** Only a refusal counts: a network that is away comes back, and the listener with it. */
function watch(/** @type {net.TcpNetConnectOpts} */ to, /** @type {number} */ everyMs, /** @type {() => void} */ lost) {
  let refused = 0
  return setInterval(() => {
    const socket = net.connect({ ...to, timeout: everyMs }, () => void socket.destroy())
    socket.on('connect', () => (refused = 0)).on('timeout', () => void socket.destroy())
    socket.on('error', (/** @type {NodeJS.ErrnoException} */ error) => {
      refused = error.code === 'ECONNREFUSED' ? refused + 1 : 0
      if (refused === 2) lost()
    })
  }, everyMs).unref()
}

/**
 * Binds the address, and tries again while it is not up yet or still taken; a fault after that is a failed accept, which
 * concerns one caller only. A listener that is ended from outside tells its process nothing: that is looked for.
 * @param {net.Server} server
 * @param {{ host: string, port: number, forMs: number, checkMs: number, fatal: (error: Error) => void }} to
 * @returns {() => void} gives up
 */
function bind(server, { host, port, forMs, checkMs, fatal }) {
  const until = performance.now() + forMs
  const timers = /** @type {NodeJS.Timeout[]} */ ([])
  let bound = false
  const listen = () => void server.listen({ host, port, backlog: 1_024 })
  const lost = () => fatal(new Error(`the bridge listens no more on ${host} port ${port}`))
  server.on('listening', () => {
    bound = true
    timers.push(watch({ host, port }, checkMs, lost))
  })
  server.on('error', (/** @type {NodeJS.ErrnoException} */ error) => {
    if (bound) return
    const later = error.code === 'EADDRNOTAVAIL' || error.code === 'EADDRINUSE'
    if (later && performance.now() < until) timers.push(setTimeout(listen, BIND_AGAIN_MS))
    else fatal(new Error(`the bridge cannot listen on ${host} port ${port}: ${error.message}`, { cause: error }))
  })
  listen()
  return () => timers.forEach((timer) => clearTimeout(timer))
}

/**
 * Starts a bridge. It answers only a caller with the key who names this uid, incarnation and address.
 *
 * @param {BridgeOptions} options
 * @returns {Bridge}
 * @throws {TypeError} when the host is a wildcard or no IP literal, or the key has not 32 bytes
 */
export function startBridge(options) {
  const { host, port, targetPort, uid, incarnation, key, now = Date.now, bindForMs: forMs = BIND_FOR_MS } = options
  const address = canonical(host)
  if (address === undefined || address === '0.0.0.0' || address === '[::]')
    throw new TypeError('the bridge listens on one IP address, not on a name or a wildcard')
  if (key.length !== 32) throw new TypeError('the bridge key has 32 bytes')
  const boot = options.boot ?? randomBytes(16).toString('hex')
  const fresh = nonceMemory(now(), options.nonces ?? NONCES)
  /** @type {Set<net.Socket>} */
  const open = new Set()
  const me = { uid, incarnation: String(incarnation), address, key, boot, now, targetPort, fresh }
  const server = net.createServer(
    { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS },
    acceptor(me, open, options.pending ?? PENDING),
  )
  const fail = (/** @type {Error} */ error) => {
    throw error
  }
  if (options.onListening !== undefined) server.on('listening', options.onListening)
  const giveUp = bind(server, {
    host,
    port,
    forMs,
    checkMs: options.checkMs ?? CHECK_MS,
    fatal: options.onFatal ?? fail,
  })
  return {
    boot,
    connections: () => open.size,
    unref: () => void server.unref(),
    close: () =>
      new Promise((resolve) => {
        giveUp()
        server.close(() => resolve())
        for (const socket of open) socket.destroy()
      }),
  }
}

/**
 * Starts the bridge of the gateway's own process. The key and the switch leave the environment first, so that nothing the
 * gateway starts inherits them; a child that was forked with the same `--import` finds no switch and does nothing.
 */
function startFromEnvironment(/** @type {NodeJS.ProcessEnv} */ env) {
  const { FLY_PRIVATE_IP: host, MOORAGE_UID: uid, MOORAGE_INCARNATION: inc, MOORAGE_BRIDGE_KEY: key } = env
  delete env.MOORAGE_BRIDGE_KEY
  delete env.MOORAGE_BRIDGE
  const onFatal = (/** @type {unknown} */ error) => {
    process.stderr.write(`moorage bridge: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(CANNOT_LISTEN)
  }
  try {
    if (!host || !uid || !inc || !key)
      throw new Error('FLY_PRIVATE_IP, MOORAGE_UID, MOORAGE_INCARNATION and MOORAGE_BRIDGE_KEY must all be set')
    const port = Number(env.MOORAGE_BRIDGE_PORT ?? 18789)
    const targetPort = Number(env.MOORAGE_GATEWAY_PORT ?? 18789)
    const secret = Buffer.from(key, 'base64url')
    const bindForMs = Number(env.MOORAGE_BRIDGE_BIND_MS ?? BIND_FOR_MS)
    startBridge({ host, port, targetPort, uid, incarnation: Number(inc), key: secret, onFatal, bindForMs }).unref()
  } catch (error) {
    onFatal(error)
  }
}

if (isMainThread && process.env.MOORAGE_BRIDGE === '1') startFromEnvironment(process.env)
