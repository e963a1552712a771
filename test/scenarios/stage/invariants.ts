// What must hold in every scenario at the end of every phase, whatever it is about: nobody's data is lost or seen by another,
// nothing is made twice, nothing foreign is touched, and the status does not claim what is not so.
import { findCondition } from '../../../specs/conditions.ts'
import type { Tenant } from '../../../specs/tenant.ts'
import { isLive, ownerOf, type FlyMachine, type Seen } from './look.ts'
import type { Scenario } from './schema.ts'

export interface Watched {
  /** Machines that are not ours, as they were first seen. */
  readonly foreign: Map<string, FlyMachine>
  readonly purging: Set<string>
  /** Volumes that Fly itself moved, or that the scenario destroyed by hand. */
  readonly excused: Set<string>
}

const gone = new Set(['pending_destroy', 'destroyed'])

function volumeProblems({ world, retired }: Seen, { purging, excused }: Watched, allow: Scenario['allow']): string[] {
  const byOwner = Object.groupBy(world.volumes, (volume) => ownerOf(volume)?.uid ?? '')
  return Object.entries(byOwner).flatMap(([uid, volumes = []]) => {
    if (uid === '') return []
    const lost = volumes.filter(
      ({ id, state }) => gone.has(state) && !excused.has(id) && !purging.has(uid) && !retired.has(uid),
    )
    const live = volumes.filter(({ state }) => !gone.has(state))
    return [
      ...lost.map(({ id }) => `volume ${id} of ${uid} is destroyed, and nobody purged that tenant`),
      ...(live.length > allow.volumes ? [`${uid} has ${live.length} volumes`] : []),
    ]
  })
}

function machineProblems({ world }: Seen, { excused }: Watched, allow: Scenario['allow']): string[] {
  const ours = world.machines.filter((machine) => ownerOf(machine) !== undefined)
  const byName = Object.groupBy(
    ours.filter(({ id }) => !excused.has(id)),
    ({ name }) => name,
  )
  const byOwner = Object.groupBy(ours.filter(isLive), (machine) => ownerOf(machine)?.uid ?? '')
  return [
    ...Object.entries(byName).flatMap(([name, all = []]) =>
      all.length > 1 ? [`the machine ${name} was made ${all.length} times`] : [],
    ),
    ...Object.entries(byOwner).flatMap(([uid, all = []]) =>
      all.length > allow.machines ? [`${uid} has ${all.length} machines`] : [],
    ),
  ]
}

function foreignProblems({ world }: Seen, { foreign, excused }: Watched): string[] {
  const problems: string[] = []
  for (const machine of world.machines) {
    if (machine.config?.metadata?.['moorage_env'] === 'test' || ownerOf(machine) !== undefined) continue
    const first = foreign.get(machine.id)
    if (first === undefined) foreign.set(machine.id, machine)
    else if (excused.has(machine.id)) continue
    else if (first.instance_id !== machine.instance_id || machine.state === 'destroyed')
      problems.push(`the foreign machine ${machine.id} was touched`)
  }
  return problems
}

function claimProblems({ world }: Seen, { name, status, generation }: Tenant): string[] {
  const problems: string[] = []
  if (status.observedGeneration > generation) problems.push(`${name} claims a generation that nobody wished for`)
  const ready = findCondition(status.conditions, 'Ready')?.status === 'True'
  if (!ready || status.outage !== undefined) return problems
  if (status.route.kind !== 'forward') problems.push(`${name} is Ready, and its road is closed`)
  const machine = world.machines.find(({ id }) => id === status.machine?.id)
  if (status.observedGeneration === generation && machine === undefined)
    problems.push(`${name} is Ready without a machine`)
  return problems
}

/** What does not hold. */
export function broken(seen: Seen, watched: Watched, { allow }: Scenario): string[] {
  for (const [name, uid] of seen.uids) {
    const tenant = seen.tenants.get(name)
    if (tenant === undefined || tenant.status.purgingSince !== undefined) watched.purging.add(uid)
  }
  const tenants = [...seen.tenants.values()].filter((tenant) => tenant !== undefined)
  return [
    ...volumeProblems(seen, watched, allow),
    ...machineProblems(seen, watched, allow),
    ...foreignProblems(seen, watched),
    ...tenants.flatMap((tenant) => claimProblems(seen, tenant)),
  ]
}
