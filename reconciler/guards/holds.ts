// Shared backoff: a failure that others would meet as well is held once for all of them. When its time comes one tenant
// goes as the probe; its success frees the others, its failure doubles the wait. Pure.
import type { Instant } from '../../specs/clock.ts'
import { faultRules, type Fault } from '../../specs/faults.ts'
import { nextTry } from '../backoff.ts'
import type { FleetView, Hold } from './view.ts'

export type Holds = Pick<FleetView, 'holds' | 'lifted'>

export const noHolds: Holds = { holds: new Map(), lifted: new Map() }

/** A step or a look that is under way. */
export interface Attempt {
  readonly uid: string
  readonly keys: readonly string[]
  readonly startedAt: Instant
}

/** Whoever asks whether it is held. */
export interface Asker {
  readonly uid: string
  /** When a person last asked to try again at once. */
  readonly retryRequestedAt?: Instant | undefined
}

export interface Blocked {
  readonly key: string
  readonly hold: Hold
  /** When to ask again, spread so that those who wait do not come together. */
  readonly until: Instant
}

/** The longest call, with its turn in Fly's rate limits, is over by then. */
const probeMs = 120_000

/** How long it is remembered that a hold ended: the longest backoff of one tenant (backoff.ts). */
const liftedMs = 900_000

/** A number in [0, 1) that is a tenant's own and always the same (FNV-1a). */
export function shareOf(uid: string): number {
  let hash = 0x811c9dc5
  for (const letter of uid) hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 0x01000193) >>> 0
  return hash / 2 ** 32
}

function probing({ probe, probeUntil = 0 }: Hold, now: Instant): boolean {
  return probe !== undefined && now < probeUntil
}

/** Those who wait come back within a quarter of the wait after its end; while a probe runs, about when it may have failed. */
function backAt(hold: Hold, uid: string, now: Instant): Instant {
  const wait = Math.max(1_000, hold.notBefore - hold.failedAt)
  const [from, spread] = now < hold.notBefore ? [hold.notBefore, wait / 4] : [now + wait / 2, wait]
  return Math.round(from + shareOf(uid) * spread)
}

/** Whether a person has asked for another try since the failure. */
function asked({ retryRequestedAt = -Infinity }: Asker, hold: Hold): boolean {
  return retryRequestedAt > hold.failedAt
}

/** The hold that stops this tenant longest; undefined when it may go, be it as the probe. */
export function blockedBy({ holds }: Holds, keys: readonly string[], asker: Asker, now: Instant): Blocked | undefined {
  const blocked = keys.flatMap((key): Blocked[] => {
    const hold = holds.get(key)
    if (hold === undefined || asked(asker, hold)) return []
    const free = now >= hold.notBefore && (hold.probe === asker.uid || !probing(hold, now))
    return free ? [] : [{ key, hold, until: backAt(hold, asker.uid, now) }]
  })
  return blocked.reduce<Blocked | undefined>(
    (longest, one) => (longest === undefined || one.until > longest.until ? one : longest),
    undefined,
  )
}

function changed(holds: Holds, keys: Iterable<string>, change: (hold: Hold) => Hold): Holds {
  const next = new Map(holds.holds)
  for (const key of keys) {
    const hold = next.get(key)
    if (hold !== undefined) next.set(key, change(hold))
  }
  return { ...holds, holds: next }
}

/** The tenant goes, and is the probe of every hold whose time has come. */
export function admitted(holds: Holds, { uid, keys }: Attempt, now: Instant): Holds {
  return changed(holds, keys, (hold) =>
    now < hold.notBefore || (probing(hold, now) && hold.probe !== uid)
      ? hold
      : { ...hold, probe: uid, probeUntil: now + probeMs },
  )
}

/** What the tenant was the probe of needs another one. */
export function released(holds: Holds, uid: string): Holds {
  const keys = [...holds.holds].filter(([, { probe }]) => probe === uid).map(([key]) => key)
  return keys.length === 0 ? holds : changed(holds, keys, (hold) => ({ ...hold, probe: undefined }))
}

interface Moment {
  readonly now: Instant
  readonly random: number
}

/** The reason and the pace are those of the kind that the hold is for, whatever words the last failure had. */
function held(before: Hold | undefined, fault: Fault, attempts: number, { now, random }: Moment): Hold {
  return {
    kind: fault.kind,
    reason: faultRules[fault.kind].reason,
    message: fault.message,
    attempts,
    since: before?.since ?? now,
    failedAt: now,
    notBefore: nextTry(fault, attempts, now, random) ?? now,
    probe: undefined,
  }
}

/**
 * The holds after an attempt met a fault that others share. The probe's failure doubles the wait. Whoever was on the way
 * before, or went because a person asked, adds nothing but a longer wait that Fly asks for.
 */
export function afterFault(holds: Holds, attempt: Attempt, failure: { key: string; fault: Fault }, at: Moment): Holds {
  const { key, fault } = failure
  const before = holds.holds.get(key)
  const rest = released(holds, attempt.uid)
  if (before !== undefined && before.probe !== attempt.uid) {
    const asks = at.now + (fault.details.retryAfterMs ?? 0)
    return changed(rest, [key], (hold) => ({
      ...hold,
      failedAt: at.now,
      notBefore: Math.max(hold.notBefore, asks),
    }))
  }
  const next = held(before, fault, (before?.attempts ?? 0) + 1, at)
  const lifted = new Map(rest.lifted)
  lifted.delete(key)
  return { holds: new Map(rest.holds).set(key, next), lifted }
}

/** Ends holds, and remembers that they ended. */
export function lift(holds: Holds, keys: readonly string[], now: Instant): Holds {
  const left = new Map(holds.holds)
  const lifted = new Map([...holds.lifted].filter(([, at]) => at > now - liftedMs))
  for (const key of keys) if (left.delete(key)) lifted.set(key, now)
  return { holds: left, lifted }
}

/** The keys whose hold a success ends: it was the probe, or it began after the last failure and so is newer news. */
export function freedBy({ holds }: Holds, { uid, keys, startedAt }: Attempt): readonly string[] {
  return keys.filter((key) => {
    const hold = holds.get(key)
    return hold !== undefined && (hold.probe === uid || startedAt > hold.failedAt)
  })
}

/** The holds after an attempt went through. */
export function afterSuccess(holds: Holds, attempt: Attempt, now: Instant): Holds {
  const freed = freedBy(holds, attempt)
  return released(freed.length === 0 ? holds : lift(holds, freed, now), attempt.uid)
}
