// The operations of pools: read, replace, remove. A pool says what is to stand ready; the reconciler sees to it.
import type { Context } from 'koa'
import { z } from 'zod'
import { matchesFields, parseFieldSelector } from '../../specs/selector.ts'
import { newUid } from '../../specs/names.ts'
import { poolDocument, type PoolDocument, type StoredPool } from '../../specs/pool.ts'
import type { PoolService } from '../pools.ts'
import { document } from './body.ts'
import { checkPreconditions, etagOf, notModified, preconditions } from './etag.ts'
import { empty, json, operation, type Operation } from './operation.ts'
import { mergePatch, patched } from './merge-patch.ts'
import { answerList, listAnswer, outputField, poolColumns } from './print.ts'
import { cursorOf, limitField, nameCursor } from './query.ts'
import { selector } from './selection.ts'
import { Problem, refused, type Violation } from './problem.ts'
import { checkName } from './rules.ts'
import type { ApiOptions } from './server.ts'
import { instant } from './view.ts'
import { settled, type Outcome, type Preconditions } from './writes.ts'

export const poolInput = poolDocument.meta({ id: 'PoolDocument' })

const poolStatus = z.strictObject({
  /** How many are to stand ready now. */
  target: z.int(),
  warm: z.int(),
  making: z.int(),
  failing: z.int(),
  leaving: z.int(),
  /** New tenants of its region and class in the last day that got a member, and that did not. */
  lastDay: z.strictObject({ warm: z.int(), cold: z.int() }),
  /** The share of those that got a member; left out when nobody came. */
  hitRatio: z.number().optional(),
  /** New tenants an hour: expected now, and those of the last one. */
  arrivals: z.strictObject({ expectedPerHour: z.number(), lastHour: z.int() }),
  /** Of the members that there are now, by the price table. */
  costPerDay: z.strictObject({ micros: z.int(), currency: z.string() }),
})

export const poolShape = z
  .strictObject({
    kind: z.literal('Pool'),
    name: z.string(),
    spec: poolDocument.shape.spec,
    status: poolStatus,
    generation: z.int(),
    revision: z.int(),
    createdAt: instant,
  })
  .meta({ id: 'Pool' })

export interface PoolRoutes extends Pick<ApiOptions, 'classes' | 'clock'> {
  readonly pools: PoolService
}

export type PoolView = z.infer<typeof poolShape>

export async function poolView({ pools, clock }: PoolRoutes, pool: StoredPool): Promise<PoolView> {
  const { kind, name, spec, generation, revision, createdAt } = pool
  const status = await pools.status(pool, clock.now())
  return { kind, name, spec, status, generation, revision, createdAt: new Date(createdAt).toISOString() }
}

function unknownPool(name: string): Problem {
  return new Problem(404, 'not-found', `There is no pool named ${name}.`)
}

/** Fly keeps the memory of machines up to 2 GB only. */
const suspendableMb = 2048

/** Every rule that the spec breaks. */
function violationsOf({ classes }: PoolRoutes, { spec }: PoolDocument): Violation[] {
  const found = classes.get(spec.class)
  if (found === undefined) {
    const known = classes.names().join(', ')
    return [{ code: 'invalid', path: 'spec.class', detail: `must be one of the classes that exist: ${known}` }]
  }
  if (spec.tier === 'running' || found.spec.guest.memoryMb <= suspendableMb) return []
  const detail = `must be running: Fly suspends no machine of more than ${suspendableMb} MB, and ${spec.class} has ${found.spec.guest.memoryMb}`
  return [{ code: 'invalid', path: 'spec.tier', detail }]
}

interface Written extends Outcome {
  readonly found: StoredPool
}

/** One try; undefined when somebody else wrote first. */
async function tryPut(routes: PoolRoutes, wanted: PoolDocument, when: Preconditions): Promise<Written | undefined> {
  const { pools, clock } = routes
  const before = await pools.store.read(wanted.name)
  checkPreconditions(when, before, 'pool')
  const violations = violationsOf(routes, wanted)
  if (violations.length > 0) throw refused(violations)
  if (before !== undefined) {
    const same = JSON.stringify(before.spec) === JSON.stringify(wanted.spec)
    const found = same ? before : await pools.store.change(before, wanted.spec)
    return found && { found, created: false, changed: !same }
  }
  const uid = newUid((length) => clock.bytes(length))
  const found = { ...wanted, uid, generation: 1, revision: 1, createdAt: clock.now() }
  return (await pools.store.add(found)) ? { found, created: true, changed: true } : undefined
}

/** Creates or replaces a pool; the same again changes nothing. Throws a Problem. */
export function applyPool(routes: PoolRoutes, wanted: PoolDocument, when: Preconditions): Promise<Written> {
  return settled(() => tryPut(routes, wanted, when), 'pool')
}

/** One try; undefined when somebody else wrote first. */
async function tryPatch(
  routes: PoolRoutes,
  name: string,
  patch: Readonly<Record<string, unknown>>,
  when: Preconditions,
): Promise<StoredPool | undefined> {
  const before = await routes.pools.store.read(name)
  if (before === undefined) throw unknownPool(name)
  checkPreconditions(when, before, 'pool')
  const wanted = patched(poolDocument, { kind: before.kind, name, spec: before.spec }, patch)
  checkName(name, wanted.name)
  // Whoever writes in between is not overwritten.
  return (await tryPut(routes, wanted, { ifMatch: etagOf(before), ifNoneMatch: '' }))?.found
}

async function tryRemove({ pools }: PoolRoutes, name: string, when: Preconditions): Promise<true | undefined> {
  const before = await pools.store.read(name)
  if (before === undefined) throw unknownPool(name)
  checkPreconditions(when, before, 'pool')
  return (await pools.store.remove(before)) ? true : undefined
}

async function answer(routes: PoolRoutes, context: Context, found: StoredPool, status = 200): Promise<void> {
  context.status = status
  context.set('ETag', etagOf(found))
  context.body = await poolView(routes, found)
}

const selectable = ['name', 'spec.region', 'spec.class', 'spec.tier']

const page = z.strictObject({
  limit: limitField,
  output: outputField,
  fieldSelector: selector((text) => parseFieldSelector(text, selectable)),
  cursor: nameCursor.optional(),
})

function fieldOf({ name, spec }: StoredPool, path: string): string | undefined {
  return new Map(Object.entries({ name, ...prefixed(spec) })).get(path)
}

const prefixed = ({ region, class: plan, tier }: StoredPool['spec']) => ({
  ...{ 'spec.region': region, 'spec.class': plan, 'spec.tier': tier },
})

/** There are a few pools, a region and a class each: all are read, and the statuses only of the page. */
async function list(routes: PoolRoutes, context: Context, query: z.infer<typeof page>): Promise<void> {
  const { limit, cursor = '', output, fieldSelector = [] } = query
  const all = await routes.pools.store.all()
  const found = all.filter((pool) => pool.name > cursor && matchesFields(fieldSelector, (path) => fieldOf(pool, path)))
  const items = await Promise.all(found.slice(0, limit).map((pool) => poolView(routes, pool)))
  const next = found.length > limit ? cursorOf(items.at(-1)?.name ?? '') : undefined
  const shown = { output, columns: poolColumns, view: (item: PoolView) => item, now: routes.clock.now() }
  answerList(context, { items, next, nameOf: ({ name }) => name, ...shown })
}

const readers = { method: 'get', tag: 'pools', roles: ['admin', 'billing', 'viewer'] } as const
const tagged = (description: string) => json(poolShape, { description, headers: ['ETag'] })

function reads(routes: PoolRoutes): readonly Operation[] {
  return [
    operation({
      ...readers,
      ...{ id: 'listPools', path: '/v1/pools' },
      summary: 'A page of pools in the order of their names, and how many machines stand ready in each.',
      query: page,
      answers: { 200: listAnswer(poolShape) },
      handle: ({ context, query }) => list(routes, context, query),
    }),
    operation({
      ...readers,
      ...{ id: 'getPool', path: '/v1/pools/{name}', summary: 'One pool.' },
      conditional: true,
      answers: { 200: tagged('The pool.'), 304: empty('The reader has it already.') },
      problems: [404],
      handle: async ({ context, params: { name } }) => {
        const found = await routes.pools.store.read(name)
        if (found === undefined) throw unknownPool(name)
        await answer(routes, context, found)
        if (notModified(context.get('if-none-match'), found)) context.status = 304
      },
    }),
  ]
}

/** The operations under /v1/pools. */
export function poolOperations(routes: PoolRoutes): readonly Operation[] {
  return [
    ...reads(routes),
    operation({
      ...{ id: 'putPool', method: 'put', path: '/v1/pools/{name}', tag: 'pools', roles: ['admin'] },
      summary: 'Creates or replaces a pool.',
      body: document(poolInput),
      conditional: true,
      answers: {
        200: tagged('It is so.'),
        201: json(poolShape, { description: 'It was created.', headers: ['ETag', 'Location'] }),
      },
      problems: [409],
      handle: async ({ context, params: { name }, body }) => {
        checkName(name, body.name)
        const { found, created } = await applyPool(routes, body, preconditions(context))
        if (created) context.set('Location', `/v1/pools/${found.name}`)
        await answer(routes, context, found, created ? 201 : 200)
      },
    }),
    operation({
      ...{ id: 'patchPool', method: 'patch', path: '/v1/pools/{name}', tag: 'pools', roles: ['admin'] },
      summary: 'Changes single fields of a pool (RFC 7396).',
      body: mergePatch,
      conditional: true,
      answers: { 200: tagged('It is so.') },
      problems: [404, 409],
      handle: async ({ context, params: { name }, body }) => {
        await answer(routes, context, await settled(() => tryPatch(routes, name, body, preconditions(context)), 'pool'))
      },
    }),
    operation({
      ...{ id: 'deletePool', method: 'delete', path: '/v1/pools/{name}', tag: 'pools', roles: ['admin'] },
      summary: 'Removes a pool; its members, which nobody owns, are destroyed.',
      conditional: true,
      answers: { 204: empty('It is gone.') },
      problems: [404, 409],
      handle: async ({ context, params: { name } }) => {
        await settled(() => tryRemove(routes, name, preconditions(context)), 'pool')
        context.status = 204
      },
    }),
  ]
}
