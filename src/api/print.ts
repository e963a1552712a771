// Lists as columns, for people with curl: chosen by `?output=table` or by an Accept header that prefers plain text.
import type { Context } from 'koa'
import { z } from 'zod'
import type { OrphanRecord } from '../../reconciler/orphans/orphan.ts'
import type { StoredClass } from '../../specs/class.ts'
import type { Instant } from '../../specs/clock.ts'
import { findCondition } from '../../specs/conditions.ts'
import { waves, type Rollout } from '../../specs/rollout.ts'
import type { Tenant } from '../../specs/tenant.ts'
import { age, table, type Column } from '../table.ts'

export const outputField = z.enum(['json', 'table']).optional()

/** Whether the caller wants columns. */
export function wantsTable(context: Context, output: z.infer<typeof outputField>): boolean {
  return output === undefined ? context.accepts('json', 'text/plain') === 'text/plain' : output === 'table'
}

type Columns<T> = (now: Instant) => readonly Column<T>[]

const ready = ({ status }: Tenant) => findCondition(status.conditions, 'Ready')

export const tenantColumns: Columns<Tenant> = (now) => [
  ['NAME', ({ name }) => name],
  ['READY', (tenant) => ready(tenant)?.status ?? 'Unknown'],
  ['STATE', ({ status }) => status.effective],
  ['REGION', ({ spec }) => spec.region],
  ['CLASS', ({ spec }) => spec.class],
  ['AGE', ({ createdAt }) => age(createdAt, now)],
  ['REASON', (tenant) => ready(tenant)?.reason ?? '-'],
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

export const orphanColumns: Columns<OrphanRecord> = (now) => [
  ['ID', ({ id }) => id],
  ['KIND', ({ kind }) => kind],
  ['STATE', ({ state }) => state],
  ['REGION', ({ region }) => region],
  ['AGE', ({ firstSeen }) => age(firstSeen, now)],
  ['REASON', ({ reason }) => reason],
]

interface Printed<T> {
  readonly items: readonly T[]
  readonly columns: Columns<T>
  readonly now: Instant
}

/** Answers the items as columns. */
export function answerTable<T>(context: Context, { items, columns, now }: Printed<T>): void {
  context.type = 'text/plain'
  context.body = `${table(items, columns(now))}\n`
}

/** Says where the next page is (RFC 8288); the rest of the query stays as it was. */
export function linkNext(context: Context, cursor: string): void {
  const query = new URLSearchParams(context.querystring)
  query.set('cursor', cursor)
  context.set('Link', `<${context.path}?${query.toString()}>; rel="next"`)
}
