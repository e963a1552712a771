// Lists over a whole organisation, a page at a time in order of change. On Fly they are eventually consistent.
import { type Answer, type Call, flag, listOf, numberOf, ok } from './call.ts'
import { invalid } from './errors.ts'
import { type View, viewOf } from './lists.ts'
import { orgMachineWire, time } from './machine-wire.ts'
import { volumeState } from './volume-life.ts'
import { volumeWire } from './volume-wire.ts'
import type { World } from './world.ts'

interface Row {
  readonly id: string
  readonly app: string
  readonly region: string
  readonly createdAt: number
  readonly updatedAt: number
}

interface Page<Record> {
  readonly rows: readonly Record[]
  readonly next: string
}

const position = (row: Row): string => `${String(row.updatedAt).padStart(15, '0')}/${row.id}`

function pageOf<Each extends Row>(world: World, call: Call, view: View, rows: readonly Each[]): Page<Each> {
  const org = call.params['org']
  const region = call.query.get('region')
  const after = call.query.get('updated_after')
  const since = after === null ? 0 : Date.parse(after)
  if (Number.isNaN(since)) throw invalid(`updated_after: "${after ?? ''}" is not a time`)
  const cursor = Buffer.from(call.query.get('cursor') ?? '', 'base64url').toString()
  const rest = rows
    .filter((row) => world.store.get('app', row.app)?.org === org && view.knows(row))
    .filter((row) => (region === null || row.region === region) && row.updatedAt >= since && position(row) > cursor)
    .sort((one, other) => (position(one) < position(other) ? -1 : 1))
  const page = rest.slice(0, numberOf(call, 'limit', 1000, 1000))
  const last = page.at(-1)
  const next = last !== undefined && rest.length > page.length ? Buffer.from(position(last)).toString('base64url') : ''
  return { rows: page, next }
}

/** GET every machine of the organisation. */
export function listOrgMachines(world: World, call: Call): Answer {
  const states = listOf(call, 'state')
  const deleted = flag(call, 'include_deleted')
  const wanted = world.store
    .all('machine')
    .filter((one) => (deleted || one.state !== 'destroyed') && (states.length === 0 || states.includes(one.state)))
  const { rows, next } = pageOf(world, call, viewOf(world, call), wanted)
  const last = rows.at(-1)
  return ok({
    machines: rows.map((machine) => orgMachineWire(machine, flag(call, 'summary'))),
    next_cursor: next,
    last_machine_id: last?.id ?? '',
    last_updated_at: last === undefined ? '' : time(last.updatedAt),
    error_regions: [],
  })
}

/** GET every volume of the organisation. */
export async function listOrgVolumes(world: World, call: Call): Promise<Answer> {
  const states = listOf(call, 'state')
  const deleted = flag(call, 'include_deleted')
  const now = world.clock.now()
  const wanted = world.store.all('volume').filter((one) => {
    const state = volumeState(one, now)
    return (
      (deleted || (state !== 'destroyed' && state !== 'pending_destroy')) &&
      (states.length === 0 || states.includes(state))
    )
  })
  const { rows, next } = pageOf(world, call, viewOf(world, call), wanted)
  const last = rows.at(-1)
  const volumes = rows.map(async (volume) => ({
    ...(await volumeWire(world, volume, { summary: flag(call, 'summary') })),
    app_name: volume.app,
    updated_at: time(volume.updatedAt),
  }))
  return ok({
    volumes: await Promise.all(volumes),
    next_cursor: next,
    last_volume_id: last?.id ?? '',
    last_updated_at: last === undefined ? '' : time(last.updatedAt),
  })
}
