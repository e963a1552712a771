// A simulator for a test, on a folder of its own, and a caller that reads like the wire.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import { realClock } from '../../src/clock.ts'
import { type Sim, type SimOptions, startSim } from '../../src/sim/server.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'
import { type MemoryGuests, memoryGuests } from './memory-guests.ts'

type Words = 'id' | 'name' | 'state' | 'status' | 'error' | 'message' | 'region' | 'instance_id' | 'private_ip' | 'type'
type MoreWords =
  'nonce' | 'image' | 'volume' | 'previous_state' | 'event_id' | 'digest' | 'ip' | 'hostname' | 'app_name'
type Texts = 'warning' | 'next_cursor' | 'attached_machine_id' | 'rate_limited_until' | 'version' | 'token' | 'Region'
type Numbers = 'size_gb' | 'blocks' | 'block_size' | 'blocks_free' | 'bytes_used' | 'expires_at' | 'count' | 'hits'
type MoreNumbers = 'exit_code' | 'total_count' | 'total_apps' | 'machineList' | 'machineDelete'
type Flags = 'cordoned' | 'requested_stop' | 'shared'
type Parts = 'config' | 'mounts' | 'metadata' | 'request' | 'exit_event' | 'events' | 'data' | 'lease' | 'dns_records'
type MoreParts = 'machines' | 'volumes' | 'certificates' | 'calls' | 'issued' | 'apps' | 'secrets' | 'ips' | 'Regions'

/**
 * A body as a test reads it: an object with the fields that it expects, or a list of such. Whether they are there is what
 * the test asserts.
 */
export type Body = readonly Body[] &
  Readonly<Record<Words | MoreWords | Texts | 'code' | 'host_status', string>> &
  Readonly<Record<Numbers | MoreNumbers, number>> &
  Readonly<Record<Flags, boolean>> & { readonly [Part in Parts | MoreParts | 'tokens']: Body } & {
    readonly org_slug: string
  }

/** An answer, read. */
export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly body: Body
}

/** The first of a list that is not empty. */
export function headOf(list: Body): Body {
  const [found] = list
  if (found === undefined) throw new Error('the list is empty')
  return found
}

export type Api = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Reply>

/** Calls below /v1 with a token; a path that begins with /_sim goes where it says. */
export const caller =
  (url: string): Api =>
  async (method, path, body, headers = {}) => {
    const response = await fetch(path.startsWith('/_sim') ? url + path : `${url}/v1${path}`, {
      method,
      headers: { authorization: 'Bearer test', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: JSON.parse(text === '' ? 'null' : text) as Body }
  }

export interface World {
  readonly folder: string
  readonly guests: MemoryGuests
  readonly sim: Sim
  readonly api: Api
  /** Stops the simulator and starts it again on its folder; guests stay up. */
  readonly again: (more?: Partial<SimOptions>) => Promise<World>
}

async function startOn(t: ExecutionContext, folder: string, options: SimOptions, guests: MemoryGuests): Promise<World> {
  const sim = await startSim(options)
  let open = true
  const close = async () => {
    if (open) await sim.close()
    open = false
  }
  t.teardown(close)
  return {
    folder,
    guests,
    sim,
    api: caller(sim.url),
    again: async (more) => {
      await close()
      return startOn(t, folder, { ...options, ...more }, guests)
    },
  }
}

/** A simulator with an app named `app`, without waits unless said otherwise. */
export async function world(t: ExecutionContext, more: Partial<SimOptions> = {}): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'moorage-sim-'))
  const guests = memoryGuests()
  const bootstrapApp = { name: 'app', org: 'personal' }
  const log = (sentence: string) => t.log(sentence)
  const options: SimOptions = {
    folder,
    port: 0,
    scale: 0,
    seed: 1,
    clock: realClock,
    guests,
    bootstrapApp,
    log,
    ...more,
  }
  const started = await startOn(t, folder, options, guests)
  t.teardown(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }))
  return started
}

/** The same on a clock that the test moves; `settle` moves it until a promise is settled. */
export async function slowWorld(
  t: ExecutionContext,
  more: Partial<SimOptions> = {},
): Promise<World & { clock: VirtualClock; settle: <Value>(promise: Promise<Value>) => Promise<Value> }> {
  const clock = new VirtualClock(7)
  const made = await world(t, { clock, scale: 1, ...more })
  return { ...made, clock, settle: (promise) => settleOn(clock, promise) }
}

/** Goes from timer to timer until the promise settles, with real time in between for sockets and files. */
async function settleOn<Value>(clock: VirtualClock, promise: Promise<Value>): Promise<Value> {
  const settled = promise.then(
    () => true,
    () => true,
  )
  const end = clock.now() + 3_600_000
  while (!(await Promise.race([settled, setTimeout(15, false)]))) {
    if (clock.now() >= end) throw new Error('nothing settled within an hour of virtual time')
    await clock.advance(Math.max(0, (clock.next ?? clock.now()) - clock.now()))
  }
  return promise
}

export const image = 'ghcr.io/openclaw/openclaw:latest'
export const guest = { cpu_kind: 'shared', cpus: 1, memory_mb: 2048 }

/** A machine that is `started` (without waits: wait is answered at once). */
export async function machine(api: Api, name: string, config: Record<string, unknown> = {}): Promise<Body> {
  const made = await api('POST', '/apps/app/machines', { name, region: 'iad', config: { image, guest, ...config } })
  if (made.status !== 200) throw new Error(`${made.status} ${JSON.stringify(made.body)}`)
  await api('GET', `/apps/app/machines/${made.body.id}/wait?timeout=5`)
  return made.body
}

/** A volume, and a machine that mounts it. */
export async function mounted(api: Api, name: string): Promise<{ volume: Body; machine: Body }> {
  const volume = await api('POST', '/apps/app/volumes', { name: name.replaceAll('-', '_'), region: 'iad', size_gb: 1 })
  const mounts = [{ volume: volume.body.id, path: '/data' }]
  return { volume: volume.body, machine: await machine(api, name, { mounts }) }
}

/** The machine once it rests in a state. */
export async function until(api: Api, id: string, state: string): Promise<Body> {
  const reply = await api('GET', `/apps/app/machines/${id}/wait?state=${state}&timeout=5`)
  if (reply.status !== 200) throw new Error(`${reply.status} ${JSON.stringify(reply.body)}`)
  return (await api('GET', `/apps/app/machines/${id}`)).body
}
