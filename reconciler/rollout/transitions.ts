// Every way a rollout's record changes: from one version to the next, which the store writes by compare-and-set. Pure.
import type { StoredClass } from '../../specs/class.ts'
import type { Instant } from '../../specs/clock.ts'
import { waves, type Rollout, type RolloutEvent } from '../../specs/rollout.ts'
import type { RolloutDecision } from './plan.ts'

/** A person who pauses and resumes all day does not make the record grow without end. */
const mostEvents = 50

type Change = Partial<
  Pick<Rollout, 'wave' | 'waveSince' | 'canaries' | 'state' | 'reason' | 'nextAt' | 'hurried' | 'endedAt'>
>

const waveName = (wave: number) => waves[wave]?.name ?? String(wave)

function eventful(
  before: Rollout,
  what: RolloutEvent['what'],
  at: Instant,
  change: Change & { message: string },
): Rollout {
  const event = { at, what, wave: before.wave, message: change.message }
  return { ...before, ...change, history: [...before.history, event].slice(-mostEvents) }
}

function ended(
  before: Rollout,
  what: 'rolled-back' | 'superseded' | 'done',
  at: Instant,
  change: Change & { message: string },
) {
  return eventful(before, what, at, { ...change, state: what, nextAt: undefined, endedAt: at })
}

/** The rollout that a class asks for, before anything has happened; undefined where it asks for none. */
export function begun({ name, stable, spec, rollout }: StoredClass): Rollout | undefined {
  if (rollout === undefined) return undefined
  const { id, startedAt } = rollout
  const message = `The class ${name} goes from ${stable} to ${spec.image}.`
  return {
    id,
    class: name,
    from: stable,
    to: spec.image,
    wave: 0,
    waveSince: startedAt,
    canaries: [],
    state: 'rolling',
    reason: 'Started',
    message,
    hurried: false,
    counts: [],
    startedAt,
    history: [{ at: startedAt, what: 'started', wave: 0, message }],
    revision: 1,
  }
}

function backTo({ from }: Rollout): string {
  return `Every tenant of the class gets ${from} again.`
}

/** What a decision makes of the rollout, at `at`. */
export function decided(before: Rollout, decision: RolloutDecision, at: Instant): Rollout {
  switch (decision.kind) {
    case 'wait': {
      const { reason, message, until } = decision
      // A time that only moves on with each look is not worth a write until it has come.
      const same = before.reason === reason && (before.nextAt ?? 0) > at
      return { ...before, reason, message, nextAt: same ? before.nextAt : until }
    }
    case 'advance': {
      const wave = before.wave + 1
      const { canary } = decision
      const canaries = canary === undefined ? before.canaries : [...before.canaries, { uid: canary.uid, wave }]
      const first = canary === undefined ? '' : ` Nobody's turn is in it by share, so ${canary.name} goes first.`
      const message = `The wave ${waveName(wave)} is open.${first}`
      const opened = { wave, waveSince: at, canaries, hurried: false, nextAt: at }
      return eventful(before, 'advanced', at, { ...opened, reason: 'Opened', message })
    }
    case 'halt': {
      const message = `In the wave ${waveName(before.wave)}: ${decision.message} ${backTo(before)}`
      return ended(before, 'rolled-back', at, { reason: decision.reason, message })
    }
    case 'finish':
      return ended(before, 'done', at, { reason: 'Done', message: `The class ${before.class} is on ${before.to}.` })
  }
}

/** Not the rollout of its class any more. */
export function superseded(before: Rollout, present: StoredClass | undefined, at: Instant): Rollout {
  const message =
    present === undefined
      ? `The class ${before.class} was deleted.`
      : `The class ${before.class} wants ${present.spec.image} now.`
  return ended(before, 'superseded', at, { reason: 'Superseded', message })
}

export const rolloutActions = ['pause', 'resume', 'rollback', 'advance'] as const
export type RolloutAction = (typeof rolloutActions)[number]

function paused(before: Rollout, at: Instant): Rollout {
  const message = 'Paused by a person: it goes neither on nor back until it is resumed or rolled back.'
  return eventful(before, 'paused', at, { state: 'halted', reason: 'Paused', nextAt: undefined, message })
}

function resumed(before: Rollout, at: Instant): Rollout {
  const message = 'Resumed by a person.'
  return eventful(before, 'resumed', at, { state: 'rolling', reason: 'Resumed', nextAt: at, message })
}

function hurried(before: Rollout, at: Instant): Rollout {
  const message = 'A person skipped the rest of the bake: the next wave opens once the gates hold.'
  return eventful(before, 'hurried', at, { hurried: true, reason: 'Hurried', nextAt: at, message })
}

/**
 * What a person's action makes of the rollout: the same record where that is so already, undefined where its state does not
 * allow the action.
 */
export function acted(before: Rollout, action: RolloutAction, at: Instant): Rollout | undefined {
  const rolling = before.state === 'rolling'
  if (!rolling && before.state !== 'halted') return undefined
  switch (action) {
    case 'pause':
      return rolling ? paused(before, at) : before
    case 'resume':
      return rolling ? before : resumed(before, at)
    case 'rollback': {
      const message = `Rolled back by a person. ${backTo(before)}`
      return ended(before, 'rolled-back', at, { reason: 'RolledBack', message })
    }
    case 'advance':
      if (!rolling) return undefined
      return before.hurried ? before : hurried(before, at)
  }
}
