// The table of whose a field is: every field that the description shows of a tenant and every one that is kept beside it, by
// every role and every operation that writes a tenant. A field without a row fails, and so does a row without its field.
import test, { type ExecutionContext } from 'ava'
import type { Tenant } from '../../specs/tenant.ts'
import { roles, type Role } from '../../src/api/caller.ts'
import { ask } from '../helpers/client.ts'
import { description } from '../helpers/described.ts'
import { startTestApi, stored, type ApiUnderTest } from './fixture.ts'
import { tokensOf } from './role-tokens.ts'

type Writer = 'putTenant' | 'patchTenant' | 'putEntitlement'

const writers: Readonly<
  Record<Writer, { readonly may: readonly Role[]; readonly method: string; readonly type: string }>
> = {
  putTenant: { may: ['admin'], method: 'PUT', type: 'application/json' },
  patchTenant: { may: ['admin'], method: 'PATCH', type: 'application/merge-patch+json' },
  putEntitlement: { may: ['admin', 'billing'], method: 'PUT', type: 'application/json' },
}

interface Row {
  readonly by: readonly Writer[]
  /** Undefined: it is no field of anybody's document, or the address says it. */
  readonly owner: string | undefined
  /** One that it does not have. */
  readonly value: unknown
}

const wish = (value: unknown): Row => ({ by: ['putTenant', 'patchTenant'], owner: 'admin', value })
const billed = (value: unknown): Row => ({ by: ['putEntitlement'], owner: 'billing', value })
const parked = (value: unknown): Row => ({ by: [], owner: 'billing', value })
const kept = (value: unknown): Row => ({ by: [], owner: 'controller', value })
const nobodys = (value: unknown): Row => ({ by: [], owner: undefined, value })

const shown: Readonly<Record<string, Row>> = {
  ...{ kind: nobodys('Class'), name: nobodys('other'), labels: wish({ plan: 'other' }) },
  ...{ 'spec.state': wish('suspended'), 'spec.class': wish('byok'), 'spec.region': wish('ams') },
  ...{ 'spec.image': wish('ghcr.io/openclaw/openclaw:2027.1.1'), 'spec.guest.cpuKind': wish('performance') },
  ...{ 'spec.guest.cpus': wish(4), 'spec.guest.memoryMb': wish(2048), 'spec.volume.sizeGb': wish(7) },
  ...{ 'spec.config': wish({ key: 'x' }), 'spec.domains': wish(['a.test']), 'spec.idle.afterMinutes': wish(3) },
  ...{ 'spec.idle.withChannels': wish(true), 'spec.update': wish('immediate'), 'spec.paused': wish(true) },
  ...{ 'entitlement.state': billed('suspended'), 'entitlement.reason': billed('past due') },
  ...{ 'parked.entitlement.state': parked('ended'), 'parked.entitlement.reason': parked('x') },
  'parked.since': parked('2026-01-01T00:00:00Z'),
  ...{ 'status.conditions': kept([]), 'status.observedGeneration': kept(9), 'status.effective': kept('running') },
  ...{ 'status.machine.id': kept('m'), 'status.machine.state': kept('started'), 'status.machine.region': kept('iad') },
  ...{ 'status.machine.incarnation': kept(2), 'status.volume.id': kept('vol_1'), 'status.snapshot.id': kept('vs_1') },
  ...{ 'status.retainedSince': kept('2026-01-01T00:00:00Z'), 'status.hosts': kept(['a.test']) },
  ...{ uid: kept('x'), generation: kept(9), revision: kept(9), createdAt: kept('2026-01-01T00:00:00Z') },
}

type Inside = Exclude<keyof Tenant, 'kind' | 'name' | 'labels' | 'spec' | 'entitlement' | 'parked' | 'status' | 'uid' | 'generation' | 'revision' | 'createdAt'> // prettier-ignore

/** What is kept and never shown; the compiler misses one that has come since. */
const inside: Readonly<Record<Inside | 'purged', Row>> = {
  ...{
    entitledAt: nobodys(9),
    entitledBy: nobodys('admin'),
    retryRequestedAt: nobodys(9),
    restartRequestedAt: nobodys(9),
    restore: nobodys({ requestedAt: 9 }),
  },
  ...{ pool: nobodys({ name: 'p', tier: 'running' }), purged: nobodys(true) },
  ...{ claim: nobodys({ at: 9, pool: 'p', tier: 'running', image: 'x' }), trace: nobodys({ parent: 'x', at: 9 }) },
}

interface Schema {
  readonly $ref?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly anyOf?: readonly Schema[]
}

const schemas = description.components?.schemas as Readonly<Record<string, Schema>>

/** The paths of all fields of a schema that have no fields of their own. */
function leavesOf({ $ref, properties, anyOf }: Schema, path = ''): readonly string[] {
  if ($ref !== undefined) return leavesOf(schemas[$ref.split('/').at(-1) ?? ''] ?? {}, path)
  if (anyOf !== undefined) return [...new Set(anyOf.flatMap((one) => leavesOf(one, path)))]
  if (properties === undefined) return [path]
  return Object.entries(properties).flatMap(([name, inner]) => leavesOf(inner, path === '' ? name : `${path}.${name}`))
}

test('every field that is described has its row, and every row its field', (t) => {
  const leaves = leavesOf(schemas['Tenant'] ?? {})
  t.true(leaves.length > 30)
  t.deepEqual([...leaves].sort(), Object.keys(shown).sort())
  // What a document may hold is a part of that, and is its owner's.
  const written = (writer: Writer) =>
    Object.entries(shown).flatMap(([path, { by }]) => (by.includes(writer) ? [path] : []))
  const own = leavesOf(schemas['TenantDocument'] ?? {}).filter((path) => !['kind', 'name'].includes(path))
  t.deepEqual([...own].sort(), written('putTenant').sort())
  const said = leavesOf(schemas['Entitlement'] ?? {}).map((path) => `entitlement.${path}`)
  t.deepEqual(said.sort(), written('putEntitlement').sort())
})

type Fields = Readonly<Record<string, unknown>>

const fieldsOf = (value: unknown) => (typeof value === 'object' && value !== null ? (value as Fields) : {})

function withField(object: Fields, [name = '', ...rest]: readonly string[], value: unknown): Fields {
  return { ...object, [name]: rest.length === 0 ? value : withField(fieldsOf(object[name]), rest, value) }
}

const at = (tenant: Tenant, path: string) =>
  path.split('.').reduce<unknown>((value, name) => fieldsOf(value)[name], tenant)

const whole = {
  ...{ kind: 'Tenant', name: 'acme', labels: {} },
  spec: {
    ...{ guest: { cpuKind: 'shared', cpus: 2, memoryMb: 4096 }, volume: { sizeGb: 2 }, idle: { afterMinutes: 9 } },
    image: 'ghcr.io/openclaw/openclaw:2026.9.6',
  },
}

/** The field alone in a document for the operation; a field of an entitlement has its place in the entitlement itself. */
function documentFor(writer: Writer, path: string, value: unknown): Fields {
  const names = path.split('.')
  if (writer === 'putTenant') return withField(whole, names, value)
  if (writer === 'patchTenant') return withField({}, names, value)
  return withField({ state: 'active' }, names[0] === 'entitlement' ? names.slice(1) : names, value)
}

interface Attempt {
  readonly role: Role
  readonly token: string
  readonly writer: Writer
  readonly path: string
  readonly row: Row
}

async function attempted(t: ExecutionContext, api: ApiUnderTest, { role, token, writer, path, row }: Attempt) {
  const what = `${role} ${writer} ${path}`
  const { may, method, type } = writers[writer]
  const before = await stored(api.tenants, 'acme')
  const address = `/v1/tenants/acme${writer === 'putEntitlement' ? '/entitlement' : ''}`
  const answer = await ask(`${api.url}${address}`, {
    ...{ method, headers: { authorization: `Bearer ${token}`, 'content-type': type } },
    body: JSON.stringify(documentFor(writer, path, row.value)),
  })
  const after = await stored(api.tenants, 'acme')
  if (may.includes(role) && row.by.includes(writer)) {
    t.is(answer.status, 200, `${what}: ${answer.text}`)
    t.deepEqual(at(after, path), row.value, what)
    // Nothing else of the wish has changed.
    const { generation, revision } = after
    const expected = withField(before as unknown as Fields, path.split('.'), row.value)
    const said = writer === 'putEntitlement' && role === 'admin' ? { entitledBy: role } : {}
    t.deepEqual({ ...after }, { ...expected, ...said, generation, revision } as unknown as Tenant, what)
    await api.tenants.change(after, before)
    return
  }
  t.deepEqual(after, before, what)
  if (!may.includes(role)) return void t.like(answer.json(), { status: 403, code: 'forbidden' }, what)
  const [field = ''] = path.split('.')
  // What an entitlement has no owner for is not known there at all.
  const known = row.owner !== undefined && (writer !== 'putEntitlement' || ['spec', 'labels', 'status'].includes(field))
  if (known)
    t.like(answer.json(), { status: 409, code: 'field-conflict', conflicts: [{ field, owner: row.owner }] }, what)
  else t.is(answer.status, 400, `${what}: ${answer.text}`)
}

test('each role writes its own fields by its own operation, and a conflict names field and owner', async (t) => {
  const api = await startTestApi(t)
  const tokens = await tokensOf(api)
  t.is((await api.putJson('acme', whole)).status, 201)
  const writes = Object.keys(writers) as Writer[]
  for (const [path, row] of Object.entries({ ...shown, ...inside }))
    for (const role of roles)
      for (const writer of writes) await attempted(t, api, { role, token: tokens[role], writer, path, row })
})
