// Orphan search: after each complete reading of the fleet, what belongs to no tenant is remembered, looked at again, and
// changed by at most one call each. Fly is read first and the database after it, so a tenant that is being made is known
// before its resources are.
import type { Instant } from '../../specs/clock.ts'
import type { FleetReading } from '../observed.ts'
import { act, noting } from './act.ts'
import { isThere, orphanInput, uidOf, type Sweeping } from './look.ts'
import type { OrphanRecord, OrphanState, Suspect } from './orphan.ts'
import { planOrphan, type OrphanDecision } from './plan.ts'
import type { OrphanPorts } from './ports.ts'
import { massGuard, sortFleet, uidsOf, type Guard, type Sorted } from './suspects.ts'

/** `lastSeen` is written this rarely: a list of orphans that stand still is no reason to write. */
const lastSeenMs = 300_000
/** Calls, and reads of what has vanished, in one sweep: the next reading goes on. */
const mostSteps = 5
const mostReads = 20

function newRecord(ports: OrphanPorts, suspect: Suspect, at: Instant): OrphanRecord {
  const { kind, cause, found } = suspect
  return {
    id: found.id,
    kind,
    name: found.name,
    uid: uidOf(ports, suspect),
    region: found.region,
    cause,
    firstSeen: at,
    lastSeen: at,
    state: 'suspected',
    reason: 'Found',
    message: 'It belongs to no tenant; looking twice.',
    attempts: 0,
    revision: 1,
  }
}

const decided: ReadonlySet<OrphanState> = new Set<OrphanState>(['released', 'kept', 'gone'])

/** Of those that nobody has decided about: a decided one says nothing about the state of the database. */
function undecided({ suspects }: Sorted, known: Sweeping['known']): number {
  return suspects.filter(({ found }) => !decided.has(known.get(found.id)?.state ?? 'suspected')).length
}

/** What to do with a record whose resource the reading does not show as an orphan. */
function fateOf({ id, state, lastSeen, destroyAt }: OrphanRecord, { sorted, at }: Sweeping, tellMs: number) {
  // Whatever was decided, what has an owner again is no orphan.
  if (sorted.owned.has(id)) return 'remove'
  // What is gone is told for a while.
  if (state === 'gone') return at - lastSeen > tellMs ? 'remove' : 'leave'
  // A list that lied only makes the proof begin anew; what was destroyed stays for the budget.
  return state === 'suspected' && destroyAt === undefined ? 'remove' : 'ask'
}

async function askAgain(ports: OrphanPorts, record: OrphanRecord, at: Instant): Promise<void> {
  if (await isThere(ports, record)) return
  const gone = { state: 'gone', reason: 'Gone', message: 'It is not there any more.', nextAt: undefined } as const
  await ports.orphans.save(record, { ...record, ...gone, lastSeen: at })
}

async function forget(ports: OrphanPorts, sweeping: Sweeping): Promise<void> {
  const shown = new Set(sweeping.sorted.suspects.map(({ found }) => found.id))
  const fates = [...sweeping.known.values()]
    .filter(({ id }) => !shown.has(id))
    .map((record) => ({ record, fate: fateOf(record, sweeping, ports.orphanSettings.holdMs) }))
  const removed = fates.filter(({ fate }) => fate === 'remove').map(({ record }) => record.id)
  if (removed.length > 0) await ports.orphans.remove(removed)
  const vanished = fates.filter(({ fate }) => fate === 'ask').slice(0, mostReads)
  for (const { record } of vanished) await noting(ports, record, () => askAgain(ports, record, sweeping.at))
}

/** Writes down what was concluded, where it is news. */
async function conclude(
  { orphans, clock }: OrphanPorts,
  record: OrphanRecord,
  { cause }: Suspect,
  { state, reason, message, until }: Extract<OrphanDecision, { kind: 'rest' }>,
  at: Instant,
): Promise<void> {
  const same = record.state === state && record.reason === reason && record.message === message
  if (same && record.nextAt === until && record.cause === cause && at - record.lastSeen < lastSeenMs) return
  const quarantinedAt = state === 'quarantined' ? (record.quarantinedAt ?? clock.now()) : record.quarantinedAt
  const attempts = reason === record.reason ? record.attempts : 0
  const after = { ...record, cause, state, reason, message, nextAt: until, lastSeen: at, attempts, quarantinedAt }
  await orphans.save(record, after)
}

async function look(ports: OrphanPorts, sweeping: Sweeping): Promise<void> {
  const { sorted, known, at } = sweeping
  const written: Promise<void>[] = []
  let steps = 0
  const lookAt = async (record: OrphanRecord, suspect: Suspect) => {
    const decision = planOrphan(await orphanInput(ports, sweeping, record, suspect))
    if (decision.kind === 'rest') written.push(conclude(ports, record, suspect, decision, at))
    else if (steps < mostSteps && ports.term() !== undefined) {
      steps += 1
      await act(ports, sweeping, record)
    }
  }
  for (const suspect of sorted.suspects) {
    // One that was just remembered has its first look with the second reading.
    const record = known.get(suspect.found.id)
    if (record !== undefined) await noting(ports, record, () => lookAt(record, suspect))
  }
  await Promise.all(written)
}

/** Whose uid on Fly has changed since is another orphan than the one on record. */
async function remember(ports: OrphanPorts, { sorted, known, at }: Sweeping): Promise<void> {
  const stale = sorted.suspects.filter((suspect) => {
    const record = known.get(suspect.found.id)
    return record !== undefined && record.uid !== uidOf(ports, suspect)
  })
  if (stale.length > 0) await ports.orphans.remove(stale.map(({ found }) => found.id))
  const fresh = sorted.suspects.filter(({ found }) => !known.has(found.id))
  if (fresh.length > 0) await ports.orphans.add(fresh.map((suspect) => newRecord(ports, suspect, at)))
}

export class OrphanSearch {
  readonly #ports: OrphanPorts
  #said = ''

  constructor(ports: OrphanPorts) {
    this.#ports = ports
  }

  /** One sweep; what Fly refuses for one orphan is written down with it and keeps no other waiting. */
  async sweep(reading: FleetReading): Promise<void> {
    const ports = this.#ports
    const { naming } = ports.settings
    const sorted = sortFleet(naming, reading, await ports.owners.of(uidsOf(naming, reading)))
    const known = new Map((await ports.orphans.all()).map((record) => [record.id, record]))
    const tenants = (await ports.store.uids()).length
    const guard = massGuard(reading, tenants, undecided(sorted, known))
    this.#say(guard)
    const sweeping = { sorted, guard, known, at: reading.at }
    await forget(ports, sweeping)
    await remember(ports, sweeping)
    await look(ports, sweeping)
  }

  /** Whoever looks on is told once when hands come off the fleet, and once when they may go on. */
  #say(guard: Guard | undefined): void {
    const { clock, journal } = this.#ports
    const reason = guard?.reason ?? ''
    if (reason === this.#said) return
    this.#said = reason
    const entry = { at: clock.now(), uid: '*', tenant: 'orphans' }
    if (guard === undefined) journal.note({ ...entry, kind: 'done', what: 'Guard', message: 'Orphans are few again.' })
    else journal.note({ ...entry, kind: 'stalled', what: guard.reason, message: guard.message })
  }
}
