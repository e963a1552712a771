// Plans, whys and diffs as the API shows them: times as ISO 8601, and of a step nothing but what it is. Pure.
import { z } from 'zod'
import type { Decision } from '../../reconciler/decision.ts'
import type { Diff } from '../../reconciler/diff.ts'
import type { Forecast } from '../../reconciler/forecast.ts'
import type { Why } from '../../reconciler/why.ts'
import { instant } from './view.ts'

const decisionShape = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('act'), step: z.string() }),
  z.strictObject({ kind: z.literal('settled'), until: instant }),
  z.strictObject({ kind: z.literal('wait'), reason: z.string(), message: z.string(), until: instant }),
  z.strictObject({ kind: z.literal('stalled'), reason: z.string(), message: z.string(), until: instant }),
])

const stepShape = z.strictObject({
  ...{ verb: z.string(), target: z.string(), does: z.string(), why: z.string(), typicalSeconds: z.number() },
  ...{ destructive: z.boolean(), interrupts: z.boolean() },
})

const planFields = {
  decision: decisionShape,
  steps: z.array(stepShape),
  ends: z.enum(['settled', 'stalled', 'wait']),
  destructive: z.boolean(),
  interrupts: z.boolean(),
  typicalSeconds: z.number(),
  waitsFor: z.strictObject({ reason: z.string(), message: z.string(), until: instant.nullable() }).nullable(),
}

export const planShape = z.strictObject(planFields).meta({ id: 'Plan' })

export const dryRunShape = z
  .strictObject({
    dryRun: z.literal(true),
    creates: z.boolean(),
    changes: z.array(z.strictObject({ path: z.string(), from: z.unknown().optional(), to: z.unknown().optional() })),
    ...planFields,
  })
  .meta({ id: 'DryRun' })

export const whyShape = z
  .strictObject({
    summary: z.string(),
    phase: z.string(),
    wanted: z.enum(['Running', 'Suspended', 'Deleted']),
    asWanted: z.boolean(),
    blocking: z
      .strictObject({ kind: z.string(), reason: z.string(), message: z.string(), subject: z.string() })
      .nullable(),
    chain: z.array(
      z.strictObject({
        subject: z.string(),
        state: z.enum(['ok', 'cause', 'waits', 'rests']),
        reason: z.string(),
        sentence: z.string(),
        since: instant.nullable(),
      }),
    ),
    lastFault: z.strictObject({ step: z.string(), reason: z.string(), message: z.string() }).nullable(),
    attempts: z.int(),
    nextAttemptAt: instant.nullable(),
    waitsOn: z.string(),
    since: instant.nullable(),
    actions: z.array(z.strictObject({ does: z.string(), command: z.string(), request: z.string() })),
    desired: z.strictObject({
      effective: z.string(),
      because: z.string(),
      votes: z.strictObject({ admin: z.string(), billing: z.string() }),
    }),
    text: z.string(),
  })
  .meta({ id: 'Why' })

export const diffShape = z
  .strictObject({
    observedAt: instant,
    machine: z.string().nullable(),
    volume: z.string().nullable(),
    drift: z.enum(['none', 'metadata', 'personal', 'restart']).nullable(),
    rows: z.array(
      z.strictObject({
        part: z.enum(['machine', 'volume']),
        field: z.string(),
        wanted: z.string().nullable(),
        observed: z.string().nullable(),
        same: z.boolean(),
        driftClass: z.string().nullable(),
      }),
    ),
  })
  .meta({ id: 'Diff' })

export type PlanView = z.infer<typeof planShape>
export type WhyView = z.infer<typeof whyShape>
export type DiffView = z.infer<typeof diffShape>

const iso = (instant: number) => new Date(instant).toISOString()
const isoOrNull = (instant: number | undefined) => (instant === undefined ? null : iso(instant))

function decisionView(decision: Decision): z.infer<typeof decisionShape> {
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

export function planView({ decision, steps, waitsFor, ...rest }: Forecast): z.infer<typeof planShape> {
  const { ends, destructive, interrupts, typicalSeconds } = rest
  const waiting =
    waitsFor === undefined
      ? null
      : { reason: waitsFor.reason, message: waitsFor.message, until: isoOrNull(waitsFor.until || undefined) }
  return {
    decision: decisionView(decision),
    steps: [...steps],
    ends,
    destructive,
    interrupts,
    typicalSeconds,
    waitsFor: waiting,
  }
}

export function whyView(told: Why): z.infer<typeof whyShape> {
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
    ...{ waitsOn, since: isoOrNull(since), actions: [...actions], desired, text },
  }
}

export function diffView({ observedAt, machine, volume, drift, rows }: Diff): z.infer<typeof diffShape> {
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
