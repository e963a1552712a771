// Lists as columns, made here so that every reader has the same: as text for people with curl (`?output=table`, or an Accept
// header that prefers plain text), and as rows for programs that print (`?output=rows`).
import type { Context } from 'koa'
import { z } from 'zod'
import type { OrphanRecord } from '../../reconciler/orphans/orphan.ts'
import type { StoredClass } from '../../specs/class.ts'
import type { Instant } from '../../specs/clock.ts'
import { findCondition } from '../../specs/conditions.ts'
import { waves, type Rollout } from '../../specs/rollout.ts'
import type { Tenant } from '../../specs/tenant.ts'
import type { EventRecord } from '../events/event.ts'
import { age, table, type Column } from '../table.ts'
import { json, type Answered } from './operation.ts'
import type { PoolView } from './pools.ts'
import { pageOf } from './view.ts'

export const outputField = z.enum(['json', 'table', 'rows']).optional()
export type Output = z.infer<typeof outputField>

/** One line of a list, in the order of the columns; `name` is what it is asked for by. */
const rowShape = z.strictObject({ name: z.string(), cells: z.array(z.string()) }).meta({ id: 'Row' })

export const rowsShape = z
  .strictObject({ columns: z.array(z.string()), rows: z.array(rowShape), nextCursor: z.string().optional() })
  .meta({ id: 'Rows' })

export type RowsView = z.infer<typeof rowsShape>

/** A line of a list on its own, in a stream. */
export interface RowView extends z.infer<typeof rowShape> {
  readonly columns: readonly string[]
}

function wantsTable(context: Context, output: Output): boolean {
  return output === undefined ? context.accepts('json', 'text/plain') === 'text/plain' : output === 'table'
}

/** Whether the items of a stream are to be rows. */
export function isPrinted(output: Output): boolean {
  return output === 'table' || output === 'rows'
}

export type Columns<T> = (now: Instant) => readonly Column<T>[]

const ready = ({ status }: Tenant) => findCondition(status.conditions, 'Ready')

export const tenantColumns: Columns<Tenant> = (now) => [
  ['NAME', ({ name }) => name],
  ['READY', (tenant) => ready(tenant)?.status ?? 'Unknown'],
  ['STATE', ({ status }) => status.effective],
  ['REGION', ({ spec }) => spec.region],
  ['CLASS', ({ spec }) => spec.class],
  ['AGE', ({ createdAt }) => age(createdAt, now)],
  ['MACHINE', ({ status: { machine } }) => (machine === undefined ? '-' : `${machine.id} ${machine.state}`)],
  ['REASON', (tenant) => ready(tenant)?.reason ?? '-'],
]

export const eventColumns: Columns<EventRecord> = (now) => [
  ['LAST', ({ lastAt }) => age(lastAt, now)],
  ['COUNT', ({ count }) => String(count)],
  ['TENANT', ({ tenant }) => tenant],
  ['REASON', ({ reason }) => reason],
  ['MESSAGE', ({ message }) => message],
]

export const classColumns: Columns<StoredClass> = (now) => [
  ['NAME', ({ name }) => name],
  ['IMAGE', ({ stable }) => stable],
  ['ROLLOUT', ({ rollout }) => rollout?.id ?? '-'],
  ['AGE', ({ createdAt }) => age(createdAt, now)],
]

export const rolloutColumns: Columns<Rollout> = (now) => [
  ['ID', ({ id }) => id],
  ['CLASS', ({ class: name }) => name],
  ['STATE', ({ state }) => state],
  ['WAVE', ({ wave }) => waves[wave]?.name ?? String(wave)],
  ['AGE', ({ startedAt }) => age(startedAt, now)],
  ['REASON', ({ reason }) => reason],
]

export const poolColumns: Columns<PoolView> = (now) => [
  ['NAME', ({ name }) => name],
  ['REGION', ({ spec }) => spec.region],
  ['CLASS', ({ spec }) => spec.class],
  ['TIER', ({ spec }) => spec.tier],
  ['TARGET', ({ status }) => String(status.target)],
  ['WARM', ({ status }) => String(status.warm)],
  ['MAKING', ({ status }) => String(status.making)],
  ['FAILING', ({ status }) => String(status.failing)],
  ['EXPECTED/H', ({ status }) => status.arrivals.expectedPerHour.toFixed(1)],
  ['CAME/H', ({ status }) => String(status.arrivals.lastHour)],
  ['COST/DAY', ({ status: { costPerDay } }) => `${(costPerDay.micros / 1e6).toFixed(2)} ${costPerDay.currency}`],
  ['HITS/DAY', ({ status }) => String(status.lastDay.warm)],
  ['MISSES/DAY', ({ status }) => String(status.lastDay.cold)],
  ['AGE', ({ createdAt }) => age(Date.parse(createdAt), now)],
]

export const orphanColumns: Columns<OrphanRecord> = (now) => [
  ['ID', ({ id }) => id],
  ['KIND', ({ kind }) => kind],
  ['STATE', ({ state }) => state],
  ['REGION', ({ region }) => region],
  ['AGE', ({ firstSeen }) => age(firstSeen, now)],
  ['REASON', ({ reason }) => reason],
]

const titlesOf = <T>(columns: readonly Column<T>[]) => columns.map(([title]) => title)
const cellsOf = <T>(item: T, columns: readonly Column<T>[]) => columns.map(([, of]) => of(item))

export function rowOf<T>(item: T, name: string, columns: readonly Column<T>[]): RowView {
  return { columns: titlesOf(columns), name, cells: cellsOf(item, columns) }
}

export interface Listed<T> {
  readonly items: readonly T[]
  /** Where the next page begins, if there is one. */
  readonly next?: string | undefined
  readonly output: Output
  readonly columns: Columns<T>
  readonly nameOf: (item: T) => string
  readonly view: (item: T) => object
  readonly now: Instant
}

/** Answers a page as it was asked for. */
export function answerList<T>(context: Context, { items, next, output, columns: of, ...rest }: Listed<T>): void {
  const { nameOf, view, now } = rest
  const columns = of(now)
  const more = next === undefined ? {} : { nextCursor: next }
  if (next !== undefined) linkNext(context, next)
  if (wantsTable(context, output)) {
    context.type = 'text/plain'
    context.body = `${table(items, columns)}\n`
  } else if (output === 'rows') {
    const rows = items.map((item) => ({ name: nameOf(item), cells: cellsOf(item, columns) }))
    context.body = { columns: titlesOf(columns), rows, ...more }
  } else context.body = { items: items.map(view), ...more }
}

/** The answers of a list; `streams` where it can be watched. */
export function listAnswer(item: z.ZodType, { streams = false } = {}): Answered {
  const page = json(z.union([pageOf(item), rowsShape]), { headers: ['Link'] })
  const content = { ...page.content, 'text/plain': z.string(), ...(streams ? { 'text/event-stream': z.string() } : {}) }
  return { ...page, content }
}

/** Says where the next page is (RFC 8288); the rest of the query stays as it was. */
export function linkNext(context: Context, cursor: string): void {
  const query = new URLSearchParams(context.querystring)
  query.set('cursor', cursor)
  context.set('Link', `<${context.path}?${query.toString()}>; rel="next"`)
}
