// The routes of orphans: what was found on Fly that belongs to nobody, and what a person decides about it.
import Router from '@koa/router'
import type { Context } from 'koa'
import { z } from 'zod'
import type { OrphanRecord, OrphanStore } from '../../reconciler/orphans/orphan.ts'
import { check } from '../../specs/parse.ts'
import { invalid, Problem } from './problem.ts'

export interface OrphanRoutes {
  readonly orphans: OrphanStore
}

type Decide = (orphan: OrphanRecord) => OrphanRecord

const attempts = 5

const page = z.strictObject({
  limit: z
    .string()
    .regex(/^\d{1,3}$/, 'must be a number from 1 to 500')
    .transform(Number)
    .pipe(z.int().min(1).max(500))
    .default(100),
  cursor: z
    .string()
    .regex(/^[a-z0-9_]{1,64}$/, 'must be the nextCursor of an earlier answer')
    .optional(),
})

const iso = (instant: number) => new Date(instant).toISOString()

function orphanView(orphan: OrphanRecord): object {
  const { id, kind, name, uid, region, cause, state, reason, message, firstSeen, lastSeen, nextAt, quarantinedAt } =
    orphan
  return {
    ...{ id, kind, name, uid, region, cause, state, reason, message },
    firstSeen: iso(firstSeen),
    lastSeen: iso(lastSeen),
    ...(quarantinedAt === undefined ? {} : { quarantinedAt: iso(quarantinedAt) }),
    ...(nextAt === undefined ? {} : { nextAt: iso(nextAt) }),
  }
}

async function list({ orphans }: OrphanRoutes, context: Context): Promise<void> {
  const query = check(page, { ...context.query })
  if (!query.ok) throw invalid(query.problems)
  const { limit, cursor } = query.value
  const found = await orphans.page({ after: cursor, limit: limit + 1 })
  const items = found.slice(0, limit)
  const last = found.length > limit ? items.at(-1)?.id : undefined
  context.body = { items: items.map(orphanView), ...(last === undefined ? {} : { nextCursor: last }) }
}

async function existing({ orphans }: OrphanRoutes, id: string): Promise<OrphanRecord> {
  const orphan = await orphans.get(id)
  if (orphan === undefined) throw new Problem(404, 'not-found', `There is no orphan with the id ${id}.`)
  return orphan
}

/** Only what has been put aside, and so was proved to be nobody's, can be given up. */
const release: Decide = (orphan) => {
  const { id, state, message, quarantinedAt } = orphan
  if (state === 'released') return orphan
  if (state === 'gone' || state === 'suspected' || quarantinedAt === undefined)
    throw new Problem(409, 'conflict', `${id} is ${state}, not quarantined, and cannot be released: ${message}`)
  const words = 'A person released it: it is destroyed as soon as nothing speaks against it.'
  return { ...orphan, state: 'released', reason: 'Released', message: words, nextAt: undefined, attempts: 0 }
}

const keep: Decide = (orphan) => {
  if (orphan.state === 'kept') return orphan
  if (orphan.state === 'gone') throw new Problem(409, 'conflict', `${orphan.id} is gone: ${orphan.message}`)
  const words = 'A person decided that it stays.'
  return { ...orphan, state: 'kept', reason: 'Kept', message: words, nextAt: undefined, attempts: 0 }
}

async function decided(routes: OrphanRoutes, id: string, decide: Decide): Promise<OrphanRecord> {
  for (let count = 0; count < attempts; count += 1) {
    const before = await existing(routes, id)
    const after = decide(before)
    const saved = after === before ? before : await routes.orphans.save(before, after)
    if (saved !== undefined) return saved
  }
  throw new Problem(409, 'conflict', 'The orphan is being written at the same time; try again.')
}

/** The routes under /v1/orphans. */
export function orphanRouter(routes: OrphanRoutes): Router {
  const router = new Router({ prefix: '/v1/orphans', sensitive: true })
  const idOf = (context: { readonly params: Record<string, string | undefined> }) => context.params['id'] ?? ''
  router.get('/', (context) => list(routes, context))
  router.get('/:id', async (context) => {
    context.body = orphanView(await existing(routes, idOf(context)))
  })
  const actions = Object.entries({ release, keep })
  for (const [name, decide] of actions)
    router.post(`/:id/actions/${name}`, async (context) => {
      context.body = orphanView(await decided(routes, idOf(context), decide))
    })
  return router
}
