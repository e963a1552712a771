// The operations of orphans: what was found on Fly that belongs to nobody, and what a person decides about it.
import type { Context } from 'koa'
import { z } from 'zod'
import type { OrphanRecord, OrphanStore } from '../../reconciler/orphans/orphan.ts'
import { optionalDocument } from './body.ts'
import type { Clock } from '../../specs/clock.ts'
import { json, operation, type Operation } from './operation.ts'
import { answerList, listAnswer, orphanColumns, outputField } from './print.ts'
import { Problem } from './problem.ts'
import { limitField } from './query.ts'
import { instant } from './view.ts'

export interface OrphanRoutes {
  readonly orphans: OrphanStore
  readonly clock: Clock
}

type Decide = (orphan: OrphanRecord) => OrphanRecord

const attempts = 5

const page = z.strictObject({
  limit: limitField,
  output: outputField,
  cursor: z
    .string()
    .regex(/^[a-z0-9_]{1,64}$/, 'must be the nextCursor of an earlier answer')
    .optional(),
})

export const orphanShape = z
  .strictObject({
    id: z.string(),
    kind: z.enum(['machine', 'volume']),
    name: z.string(),
    uid: z.string(),
    region: z.string(),
    cause: z.enum(['noTenant', 'leftover', 'duplicate', 'unidentified']),
    state: z.enum(['suspected', 'quarantined', 'released', 'kept', 'gone']),
    reason: z.string(),
    message: z.string(),
    firstSeen: instant,
    lastSeen: instant,
    quarantinedAt: instant.optional(),
    nextAt: instant.optional(),
  })
  .meta({ id: 'Orphan' })

export type OrphanView = z.infer<typeof orphanShape>

const iso = (instant: number) => new Date(instant).toISOString()

function orphanView(orphan: OrphanRecord): z.infer<typeof orphanShape> {
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

type PageQuery = z.infer<typeof page>

async function list({ orphans, clock }: OrphanRoutes, context: Context, query: PageQuery): Promise<void> {
  const { limit, cursor, output } = query
  const found = await orphans.page({ after: cursor, limit: limit + 1 })
  const items = found.slice(0, limit)
  const last = found.length > limit ? items.at(-1)?.id : undefined
  const shown = { output, columns: orphanColumns, view: orphanView, now: clock.now() }
  answerList(context, { items, next: last, nameOf: ({ id }) => id, ...shown })
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

const decisions = [
  {
    ...{ name: 'release', decide: release },
    summary: 'A person gives it up: it is destroyed once nothing speaks against it.',
  },
  { name: 'keep', decide: keep, summary: 'A person says that it stays: never asked again.' },
] as const

/** The operations under /v1/orphans. */
export function orphanOperations(routes: OrphanRoutes): readonly Operation[] {
  const readers = { method: 'get', tag: 'orphans', roles: ['admin', 'viewer'] } as const
  return [
    operation({
      ...readers,
      ...{ id: 'listOrphans', path: '/v1/orphans' },
      summary: 'What was found on Fly that belongs to no tenant, with what happens to it.',
      query: page,
      answers: { 200: listAnswer(orphanShape) },
      handle: ({ context, query }) => list(routes, context, query),
    }),
    operation({
      ...readers,
      ...{ id: 'getOrphan', path: '/v1/orphans/{id}' },
      summary: 'One of them.',
      answers: { 200: json(orphanShape) },
      problems: [404],
      handle: async ({ context, params: { id } }) => {
        context.body = orphanView(await existing(routes, id))
      },
    }),
    ...decisions.map(({ name, decide, summary }) =>
      operation({
        ...{ id: `${name}Orphan`, method: 'post', tag: 'orphans', roles: ['admin'], summary },
        path: `/v1/orphans/{id}/actions/${name}`,
        body: optionalDocument(z.strictObject({})),
        answers: { 200: json(orphanShape) },
        problems: [404, 409],
        handle: async ({ context, params: { id } }) => {
          context.body = orphanView(await decided(routes, id, decide))
        },
      }),
    ),
  ]
}
