// The routes of rollouts: what each one does, and the few things that a person may tell it.
import Router from '@koa/router'
import { acted, rolloutActions, type RolloutAction } from '../../reconciler/rollout/transitions.ts'
import { waves, type Rollout, type WaveCounts } from '../../specs/rollout.ts'
import { Problem } from './problem.ts'
import { noQuery } from './query.ts'
import type { ApiOptions } from './server.ts'
import { settled } from './writes.ts'

const iso = (instant: number) => new Date(instant).toISOString()
const waveName = (index: number) => waves[index]?.name ?? String(index)
const nothing: WaveCounts = { members: 0, updated: 0, ready: 0, deferred: 0, failing: 0 }
const mostRollouts = 100

function waveView({ wave, counts }: Rollout, index: number): object {
  const { members, updated, ready, deferred, failing } = counts[index] ?? nothing
  const state = index < wave ? 'passed' : index === wave ? 'open' : 'ahead'
  return { wave: waveName(index), state, members, updated, ready, deferred, failing }
}

/** A rollout as the API shows it: an allow-list. */
export function rolloutView(rollout: Rollout): object {
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

/** The routes under /v1/rollouts. */
export function rolloutRouter(options: ApiOptions): Router {
  const router = new Router({ prefix: '/v1/rollouts', sensitive: true })
  router.get('/', async (context) => {
    context.body = { items: (await options.rollouts.newest(mostRollouts)).map(rolloutView) }
  })
  router.get('/:id', async (context) => {
    context.body = rolloutView(await existing(options, context.params['id'] ?? ''))
  })
  for (const action of rolloutActions)
    router.post(`/:id/actions/${action}`, async (context) => {
      noQuery(context)
      const { id = '' } = context.params
      context.body = rolloutView(await settled(() => tryAct(options, id, action), 'rollout'))
      // What follows from it happens at the reconciler's next look.
      context.status = 202
    })
  return router
}
