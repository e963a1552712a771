// What exists under /_sim and not on Fly: the whole state, the faults, and a few facts. No token is asked for.
import { checkStarted } from './agreement.ts'
import { certificateWire } from './certificate-wire.ts'
import { refresh } from './certificates.ts'
import { Refusal } from './errors.ts'
import { type FaultKind, faultKinds } from './faults.ts'
import { machineWire, time } from './machine-wire.ts'
import { happen, isAtOnce } from './mischief.ts'
import { routes } from './routes.ts'
import { snapshotWire, volumeWire } from './volume-wire.ts'
import type { Answer } from './call.ts'
import type { World } from './world.ts'

/** Oldest first. */
const inOrder = <Each extends { readonly id: string; readonly createdAt: number }>(records: Each[]): Each[] =>
  records.sort((one, other) => one.createdAt - other.createdAt || (one.id < other.id ? -1 : 1))

/** Every object as on the wire, destroyed ones too, each with its app; and how often each action was called. */
async function wholeState(world: World): Promise<Answer> {
  const { store } = world
  const calls = Object.fromEntries(routes.map(({ action }) => [action, store.calls().get(action) ?? 0]))
  const machines = inOrder(store.all('machine')).map((machine) => ({
    ...machineWire(world, machine),
    app_name: machine.app,
  }))
  const volumes = inOrder(store.all('volume')).map(async (volume) => ({
    ...(await volumeWire(world, volume)),
    app_name: volume.app,
  }))
  const certificates = inOrder(store.all('certificate')).map((certificate) => {
    const wire = certificateWire(world, refresh(world, certificate))
    const gone = certificate.deletedAt === undefined ? {} : { status: 'destroyed' }
    return { ...wire, ...gone, app_name: certificate.app, created_at: time(certificate.createdAt) }
  })
  const snapshots = inOrder(store.all('snapshot')).map((snapshot) => ({
    ...snapshotWire(snapshot, world.clock.now()),
    volume: snapshot.volume,
    app_name: snapshot.app,
  }))
  return { status: 200, body: { machines, volumes: await Promise.all(volumes), snapshots, certificates, calls } }
}

function facts(world: World): Answer {
  const network = world.store.setting('network', () => '')
  const known = Object.entries(faultKinds).map(([kind, effect]: [string, string]) => ({ kind, effect }))
  const actions = [...new Set(routes.map(({ action }) => action))]
  const { scale, seed } = world
  return { status: 200, body: { simulator: true, pid: process.pid, scale, seed, network, faults: known, actions } }
}

async function addFault(world: World, body: unknown): Promise<Answer> {
  const rule = world.faults.add(body)
  if (!isAtOnce(rule)) {
    if ((rule.kind as FaultKind) === 'hostDown') await checkStarted(world)
    return { status: 201, body: rule }
  }
  world.faults.remove(rule.id)
  return { status: 201, body: { ...rule, hits: await happen(world, rule) } }
}

async function endFaults(world: World, id: string | undefined): Promise<Answer> {
  if (id === undefined) world.faults.clear()
  else world.faults.remove(id)
  await checkStarted(world)
  return { status: 204 }
}

/** Answers a call below /_sim. */
export async function inspect(
  world: World,
  method: string,
  segments: readonly string[],
  body: unknown,
): Promise<Answer> {
  const [what, id, more] = segments
  const path = `${method} ${what ?? ''}${id === undefined ? '' : '/:id'}${more === undefined ? '' : '/:more'}`
  switch (path) {
    case 'GET state':
      return wholeState(world)
    case 'GET info':
      return facts(world)
    case 'GET faults':
      return { status: 200, body: world.faults.list() }
    case 'POST faults':
      return addFault(world, body)
    case 'DELETE faults':
    case 'DELETE faults/:id':
      return endFaults(world, id)
    default:
      throw new Refusal(404, { error: `The simulator has no ${method} /_sim/${segments.join('/')}.` })
  }
}
