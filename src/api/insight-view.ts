// Plans, whys and diffs as the API shows them: times as ISO 8601, and of a step nothing but what it is. Pure.
import type { Decision } from '../../reconciler/decision.ts'
import type { Diff } from '../../reconciler/diff.ts'
import type { Forecast } from '../../reconciler/forecast.ts'
import type { Why } from '../../reconciler/why.ts'

const iso = (instant: number) => new Date(instant).toISOString()
const isoOrNull = (instant: number | undefined) => (instant === undefined ? null : iso(instant))

function decisionView(decision: Decision): object {
  switch (decision.kind) {
    case 'act':
      return { kind: decision.kind, step: decision.step.kind }
    case 'settled':
      return { kind: decision.kind, until: iso(decision.until) }
    case 'wait':
    case 'stalled': {
      const { kind, reason, message, until } = decision
      return { kind, reason, message, until: iso(until) }
    }
  }
}

export function planView({ decision, steps, waitsFor, ...rest }: Forecast): object {
  const { ends, destructive, interrupts, typicalSeconds } = rest
  const waiting =
    waitsFor === undefined
      ? null
      : { reason: waitsFor.reason, message: waitsFor.message, until: isoOrNull(waitsFor.until || undefined) }
  return { decision: decisionView(decision), steps, ends, destructive, interrupts, typicalSeconds, waitsFor: waiting }
}

export function whyView(told: Why): object {
  const { summary, phase, wanted, asWanted, blocking, chain, lastFault, attempts, nextAttemptAt, ...rest } = told
  const { waitsOn, since, actions, desired, text } = rest
  return {
    ...{ summary, phase, wanted, asWanted },
    blocking:
      blocking === undefined
        ? null
        : { kind: blocking.kind, reason: blocking.reason, message: blocking.message, subject: blocking.subject },
    chain: chain.map((link) => ({ ...link, since: isoOrNull(link.since) })),
    lastFault: lastFault ?? null,
    attempts,
    nextAttemptAt: isoOrNull(nextAttemptAt),
    ...{ waitsOn, since: isoOrNull(since), actions, desired, text },
  }
}

export function diffView({ observedAt, machine, volume, drift, rows }: Diff): object {
  return {
    observedAt: iso(observedAt),
    machine: machine ?? null,
    volume: volume ?? null,
    drift: drift ?? null,
    rows: rows.map(({ wanted, observed, driftClass, ...row }) => ({
      ...row,
      wanted: wanted ?? null,
      observed: observed ?? null,
      driftClass: driftClass ?? null,
    })),
  }
}
