// Runs one scenario: sets its stage, lets each phase happen, and says what is not as expected.
import { why } from '../../reconciler/why.ts'
import { idOf, perform, type Cast } from './stage/actions.ts'
import { problemsOf } from './stage/expect.ts'
import type { GuestHistory } from './stage/guests.ts'
import { broken, type Watched } from './stage/invariants.ts'
import { traceOf } from './stage/journal.ts'
import { changesBetween, lookAround, readsBetween, type Seen } from './stage/look.ts'
import { readDuration, type Phase, type Scenario } from './stage/schema.ts'
import type { Stage } from './stage/stage.ts'
import { allRest } from './stage/rest.ts'
import { setStage, type Theatre } from './stage/worlds.ts'

export interface PhaseResult {
  readonly trace: readonly string[]
  readonly problems: readonly string[]
  /** Calls of Fly in this phase: those that change something by action, and how many only looked. */
  readonly changes: Readonly<Record<string, number>>
  readonly reads: number
  readonly standing: readonly Standing[]
}

/** Every condition of a tenant in words, and why it is so. */
export interface Standing {
  readonly name: string
  readonly text: string
}

export interface ScenarioResult {
  readonly phases: readonly PhaseResult[]
  readonly virtualMs: number
}

interface Course {
  readonly stage: Stage
  readonly cast: Cast
  readonly scenario: Scenario
  readonly watched: Watched
}

function untilOf(course: Course, { until, limit }: Phase, from: { lines: number; looks: ReadonlyMap<string, number> }) {
  const { stage, cast } = course
  const duration = readDuration(until)
  if (duration !== undefined) return { done: () => false, limitMs: duration, must: false }
  if (until === 'rests') return { done: allRest(stage, cast, from.looks), limitMs: limit, must: true }
  const isThere = () =>
    traceOf(stage.recorder.lines, from.lines, cast.uids.size).some((line) => line.replace(/ ×\d+$/, '') === until)
  return { done: isThere, limitMs: limit, must: true }
}

function histories({ stage, cast }: Course): ReadonlyMap<string, GuestHistory> {
  return new Map([...cast.uids].map(([name, uid]) => [name, stage.guests.history(uid)]))
}

function standing(seen: Seen): Standing[] {
  return [...seen.tenants].map(([name, tenant]) => {
    if (tenant === undefined) return { name, text: `${name}: purged` }
    const said = tenant.status.conditions.map(
      ({ type, status, reason, message }) => `${type} ${status} ${reason}: ${message}`,
    )
    return { name, text: `${name}: ${said.join('; ')} | ${why({ tenant, now: seen.at }).summary}` }
  })
}

async function runPhase(course: Course, phase: Phase): Promise<PhaseResult> {
  const { stage, cast, scenario, watched } = course
  const before = await lookAround(stage, new Map(cast.uids))
  const guestsBefore = histories(course)
  const lines = stage.recorder.lines.length
  const looks = new Map(stage.recorder.looks)
  for (const action of phase.when) await perform(stage, cast, action)
  for (const name of scenario.excuse) {
    const id = await idOf(stage, cast, name)
    if (id !== undefined) watched.excused.add(id)
  }
  const { done, limitMs, must } = untilOf(course, phase, { lines, looks })
  const came = await stage.until(done, limitMs)
  const after = await lookAround(stage, new Map(cast.uids))
  const ends = { before, after, guestsBefore, guestsAfter: histories(course) }
  const trace = traceOf(stage.recorder.lines, lines, cast.uids.size)
  return {
    trace,
    changes: changesBetween(before.world, after.world),
    reads: readsBetween(before.world, after.world),
    standing: standing(after),
    problems: [
      ...(must && !came ? [`"${phase.until}" did not come within ${limitMs} ms`] : []),
      ...problemsOf(ends, phase.expect ?? {}),
      ...broken(after, watched, scenario),
      ...stage.guests.trespasses,
      ...stage.recorder.defects.map(
        (error) => `a defect: ${error instanceof Error ? (error.stack ?? '') : String(error)}`,
      ),
    ],
  }
}

/** Runs a scenario. The same seed gives the same course of events. */
export async function runScenario(
  scenario: Scenario,
  theatre: Theatre,
  options: { readonly seed: number; readonly log: (sentence: string) => void },
): Promise<ScenarioResult> {
  const { given } = scenario
  const { stage, cast } = await setStage(theatre, given, options)
  const watched = { foreign: new Map(), purging: new Set<string>(), excused: new Set<string>() }
  const course: Course = { stage, cast, scenario, watched }
  const began = stage.clock.now()
  try {
    const phases: PhaseResult[] = []
    for (const [index, phase] of scenario.phases.entries()) {
      // What a phase began does not reach into the next one; a new tenant has not been looked at yet.
      if (index > 0 || given.converged) await stage.finish()
      phases.push(await runPhase(course, phase))
    }
    return { phases, virtualMs: stage.clock.now() - began }
  } finally {
    await stage.close()
  }
}
