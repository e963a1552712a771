// The simulated Machines API as a server: reads requests, sends answers in Fly's dress, and puts the parts together.
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock } from '../../specs/clock.ts'
import { resumeWork, watchGuests } from './agreement.ts'
import { newApp } from './apps.ts'
import { Refusal, invalid } from './errors.ts'
import { Faults } from './faults.ts'
import { type Outcome, pass } from './gate.ts'
import type { GuestHost } from './guest-host.ts'
import { hex, ulid } from './ids.ts'
import { inspect } from './inspect.ts'
import { Latency, hash } from './latency.ts'
import { Limits } from './limits.ts'
import { Runner } from './machine-runner.ts'
import { nearest } from './regions.ts'
import { match } from './routes.ts'
import { Store } from './store.ts'
import { finishCopies, removeGone } from './volume-life.ts'
import { type World, bytesOf } from './world.ts'

export interface SimOptions {
  /** Where everything is kept; one simulator at a time. */
  readonly folder: string
  /** 0 takes any free one. */
  readonly port: number
  /** 127.0.0.1 unless said otherwise. */
  readonly host?: string
  /** 1 is as slow as Fly, 0.1 ten times as fast, 0 does not wait and does not limit. */
  readonly scale: number
  readonly seed: number
  readonly clock: Clock
  /** Belongs to the caller, who closes or releases it after the simulator. */
  readonly guests: GuestHost
  /** An app that is there from the start. */
  readonly bootstrapApp?: { readonly name: string; readonly org: string }
  /** Takes a sentence about something that went wrong inside. */
  readonly log?: (sentence: string) => void
}

export interface Sim {
  readonly url: string
  /** Stops answering and waiting. Machines stay as they are; what was under way goes on at the next start. */
  close(): Promise<void>
}

const mostBytes = 8 * 1024 * 1024
const hourMs = 3_600_000

function assemble(options: SimOptions, store: Store): World {
  const { folder, scale, seed, clock, guests } = options
  const log = options.log ?? (() => undefined)
  // Each start draws anew, or a restart would repeat the same waits.
  const latency = new Latency(scale, hash(`${seed}/${store.setting('opened', () => '1')}`))
  const faults = new Faults(store, clock, latency)
  const parts = { folder, scale, seed, clock, store, latency, faults, guests, usage: new Map(), log }
  return { ...parts, runner: new Runner(parts) }
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > mostBytes) throw new Refusal(413, { error: 'invalid_argument: the request body is too large' })
    chunks.push(chunk)
  }
  const text = Buffer.concat(chunks).toString()
  if (text.trim() === '') return undefined
  try {
    return JSON.parse(text)
  } catch (error) {
    throw invalid(`the request body is not JSON: ${error instanceof Error ? error.message : ''}`)
  }
}

/** The parts of a path, decoded; a wildcard's star may come as %2A. */
function segmentsOf(path: string): string[] {
  try {
    return path.split('/').slice(1).map(decodeURIComponent)
  } catch {
    throw invalid('the path is not percent-encoded')
  }
}

async function respond(world: World, limits: Limits, request: IncomingMessage): Promise<Outcome> {
  const method = request.method ?? 'GET'
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://simulator')
  const [root, ...segments] = segmentsOf(pathname)
  const body = await readBody(request)
  if (root === '_sim') return inspect(world, method, segments, body)
  const found = root === 'v1' ? match(method, segments) : undefined
  if (found === undefined) throw new Refusal(404, { error: `The simulator does not have ${method} ${pathname}.` })
  return pass(world, limits, found, { query: searchParams, headers: request.headers, body })
}

function send(world: World, response: ServerResponse, outcome: Outcome): void {
  if (outcome === 'drop') {
    response.socket?.destroy()
    return
  }
  const bytes = bytesOf(world)
  const text = outcome.text ?? (outcome.body === undefined ? '' : JSON.stringify(outcome.body))
  const isPage = text.startsWith('<')
  response.writeHead(outcome.status, {
    ...(text === '' ? {} : { 'content-type': `${isPage ? 'text/html' : 'application/json'}; charset=utf-8` }),
    ...(outcome.status === 204 ? {} : { 'content-length': Buffer.byteLength(text) }),
    'fly-request-id': `${ulid(bytes, world.clock.now())}-${nearest}`,
    'fly-span-id': hex(bytes, 16),
    'fly-trace-id': hex(bytes, 32),
    server: 'Fly/simulator',
    via: '1.1 fly.io',
    ...outcome.headers,
  })
  response.end(text)
}

async function handle(world: World, limits: Limits, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    send(world, response, await respond(world, limits, request))
  } catch (error) {
    if (error instanceof Refusal) {
      send(world, response, { status: error.status, body: error.body })
      return
    }
    if (request.destroyed && !request.complete) return
    world.log(`${request.method ?? ''} failed inside the simulator: ${String(error)}`)
    send(world, response, { status: 500, body: { error: 'internal: the simulator failed, its log says why' } })
  }
}

function listen(server: Server, port: number, host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = `The port ${port} on ${host} is taken. Choose another one.`
      reject(error.code === 'EADDRINUSE' ? new Error(taken, { cause: error }) : error)
    })
    server.listen(port, host, () => {
      const address = server.address() as AddressInfo
      const shown = address.family === 'IPv6' ? `[${address.address}]` : address.address
      resolve(`http://${shown}:${address.port}`)
    })
  })
}

/** Removes what is gone for good, now and every hour; the answer ends it. */
function tidyHourly(world: World): () => void {
  let cancel = (): void => undefined
  const tidy = (): void => {
    cancel = world.clock.after(hourMs, tidy)
    removeGone(world).catch((error: unknown) => world.log(`Old volumes could not be removed: ${String(error)}`))
  }
  tidy()
  return () => cancel()
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve))
  server.closeAllConnections()
  await closed
}

/**
 * Starts the simulator on its folder and takes up what was under way.
 *
 * @throws {Error} with a sentence when the folder or the port is in use
 */
export async function startSim(options: SimOptions): Promise<Sim> {
  const store = new Store(options.folder)
  const world = assemble(options, store)
  const limits = new Limits(options.clock, options.scale)
  const server = createServer((request, response) => void handle(world, limits, request, response))
  // A held wait or create is no idle connection.
  server.requestTimeout = 0
  // Longer than any client keeps an idle connection, so that none is closed under a request.
  server.keepAliveTimeout = 120_000
  try {
    const { bootstrapApp } = options
    if (bootstrapApp !== undefined && store.get('app', bootstrapApp.name) === undefined)
      store.save({ kind: 'app', record: newApp(world, bootstrapApp.name, bootstrapApp.org) })
    await finishCopies(world)
    await resumeWork(world)
    const url = await listen(server, options.port, options.host ?? '127.0.0.1')
    const endTidying = tidyHourly(world)
    const endWatching = watchGuests(world)
    return { url, close: () => closeAll(world, server, endTidying, endWatching) }
  } catch (error) {
    await world.runner.close()
    store.close()
    throw error
  }
}

async function closeAll(
  world: World,
  server: Server,
  endTidying: () => void,
  endWatching: () => Promise<void>,
): Promise<void> {
  await closeServer(server)
  endTidying()
  await endWatching()
  await world.runner.close()
  world.store.close()
}
