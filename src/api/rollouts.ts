// The operations of rollouts: what each one does, and the few things that a person may tell it.
import { z } from 'zod'
import { acted, rolloutActions, type RolloutAction } from '../../reconciler/rollout/transitions.ts'
import { waves, type Rollout, type WaveCounts } from '../../specs/rollout.ts'
import { optionalDocument } from './body.ts'
import { json, operation, type Operation } from './operation.ts'
import { answerList, listAnswer, outputField, rolloutColumns } from './print.ts'
import { Problem } from './problem.ts'
import type { ApiOptions } from './server.ts'
import { instant } from './view.ts'
import { settled } from './writes.ts'

const rolloutShape = z
  .strictObject({
    id: z.string(),
    class: z.string(),
    from: z.string(),
    to: z.string(),
    state: z.enum(['rolling', 'halted', 'rolled-back', 'done', 'superseded']),
    wave: z.string(),
    waveSince: instant,
    reason: z.string(),
    message: z.string(),
    hurried: z.boolean(),
    nextDecisionAt: instant.optional(),
    waves: z.array(
      z.strictObject({
        wave: z.string(),
        state: z.enum(['passed', 'open', 'ahead']),
        ...{ members: z.int(), updated: z.int(), ready: z.int(), deferred: z.int(), failing: z.int() },
      }),
    ),
    startedAt: instant,
    endedAt: instant.optional(),
    history: z.array(z.strictObject({ at: instant, what: z.string(), wave: z.string(), message: z.string() })),
  })
  .meta({ id: 'Rollout' })

export type RolloutView = z.infer<typeof rolloutShape>

const iso = (instant: number) => new Date(instant).toISOString()
const waveName = (index: number) => waves[index]?.name ?? String(index)
const nothing: WaveCounts = { members: 0, updated: 0, ready: 0, deferred: 0, failing: 0 }
const mostRollouts = 100

function waveView({ wave, counts }: Rollout, index: number): RolloutView['waves'][number] {
  const { members, updated, ready, deferred, failing } = counts[index] ?? nothing
  const state = index < wave ? 'passed' : index === wave ? 'open' : 'ahead'
  return { wave: waveName(index), state, members, updated, ready, deferred, failing }
}

/** A rollout as the API shows it: an allow-list. */
export function rolloutView(rollout: Rollout): RolloutView {
  const { id, class: name, from, to, wave, waveSince, state, reason, message, nextAt, hurried } = rollout
  return {
    ...{ id, class: name, from, to, state, wave: waveName(wave), waveSince: iso(waveSince), reason, message, hurried },
    ...(state === 'rolling' && nextAt !== undefined ? { nextDecisionAt: iso(nextAt) } : {}),
    waves: waves.map((_wave, index) => waveView(rollout, index)),
    startedAt: iso(rollout.startedAt),
    ...(rollout.endedAt === undefined ? {} : { endedAt: iso(rollout.endedAt) }),
    history: rollout.history.map(({ at, what, wave: when, message: said }) => ({
      ...{ at: iso(at), what, wave: waveName(when), message: said },
    })),
  }
}

async function existing({ rollouts }: ApiOptions, id: string): Promise<Rollout> {
  const rollout = await rollouts.read(id)
  if (rollout === undefined) throw new Problem(404, 'not-found', `There is no rollout ${id}.`)
  return rollout
}

function impossible({ id, class: name, state, from }: Rollout, action: RolloutAction): Problem {
  const hint =
    state === 'halted'
      ? 'Resume it first.'
      : `To give the class ${name} an image such as ${from}, put that into its spec.`
  return new Problem(409, 'wrong-state', `The rollout ${id} is ${state}: there is nothing to ${action}. ${hint}`)
}

/** One try; undefined when somebody else wrote first. */
async function tryAct(options: ApiOptions, id: string, action: RolloutAction): Promise<Rollout | undefined> {
  const { rollouts, classes, clock } = options
  const before = await existing(options, id)
  const next = acted(before, action, clock.now())
  if (next === undefined) throw impossible(before, action)
  if (next === before) return before
  const saved = await rollouts.save(next)
  if (saved !== undefined) classes.takeRollout(saved)
  return saved
}

const words: Readonly<Record<RolloutAction, string>> = {
  pause: 'Halts it where it is.',
  resume: 'Goes on with one that a person halted.',
  rollback: 'Gives its tenants the former image back.',
  advance: 'Skips the rest of the bake, never a gate.',
}

/** The operations under /v1/rollouts. */
export function rolloutOperations(options: ApiOptions): readonly Operation[] {
  const readers = { method: 'get', tag: 'rollouts', roles: ['admin', 'viewer'] } as const
  return [
    operation({
      ...readers,
      ...{ id: 'listRollouts', path: '/v1/rollouts', summary: 'Rollouts, newest first.' },
      query: z.strictObject({ output: outputField }),
      answers: { 200: listAnswer(rolloutShape) },
      handle: async ({ context, query: { output } }) => {
        const items = await options.rollouts.newest(mostRollouts)
        const shown = { output, columns: rolloutColumns, view: rolloutView, now: options.clock.now() }
        answerList(context, { items, nameOf: ({ id }) => id, ...shown })
      },
    }),
    operation({
      ...readers,
      ...{ id: 'getRollout', path: '/v1/rollouts/{id}' },
      summary: 'One rollout: waves with counts, the next decision and when.',
      answers: { 200: json(rolloutShape) },
      problems: [404],
      handle: async ({ context, params: { id } }) => {
        context.body = rolloutView(await existing(options, id))
      },
    }),
    ...rolloutActions.map((action) =>
      operation({
        ...{ id: `${action}Rollout`, method: 'post', tag: 'rollouts', roles: ['admin'], summary: words[action] },
        path: `/v1/rollouts/{id}/actions/${action}`,
        body: optionalDocument(z.strictObject({})),
        answers: { 202: json(rolloutShape, { description: 'What follows from it happens at the next look.' }) },
        problems: [404, 409],
        handle: async ({ context, params: { id } }) => {
          context.body = rolloutView(await settled(() => tryAct(options, id, action), 'rollout'))
          context.status = 202
        },
      }),
    ),
  ]
}
