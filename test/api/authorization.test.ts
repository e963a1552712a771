// The table of who may do what: every operation, every role and nobody; every field of a tenant, by every operation that
// writes one. An operation or a field without a row fails, and so does a row without its operation.
import test, { type ExecutionContext } from 'ava'
import { entitlement, tenantDocument, tenantSpec, type Tenant } from '../../specs/tenant.ts'
import { roles, type Role } from '../../src/api/caller.ts'
import type { Operation } from '../../src/api/operation.ts'
import { ask } from '../helpers/client.ts'
import { startTestApi, stored, tenantDocument as wanted, type ApiUnderTest } from './fixture.ts'

/** a: admin, b: billing, v: viewer; l: also where a label selector limits the token; w: it is in the audit. */
const operations: Readonly<Record<string, string>> = {
  ...{
    listTenants: 'abv l',
    getTenant: 'abv l',
    putTenant: 'a l w',
    patchTenant: 'a l w',
    deleteTenant: 'a l w',
    putEntitlement: 'ab l w',
  },
  ...{ retryTenant: 'a l w', undeleteTenant: 'a l w', restoreTenant: 'a l w' },
  ...{ approveTenant: 'a l w', rejectTenant: 'a l w' },
  ...{ getPlan: 'av l', planTenant: 'av l', getWhy: 'abv l', getDiff: 'av l' },
  ...{ listEvents: 'av', listTenantEvents: 'abv l', getTimeline: 'abv l' },
  ...{ listClasses: 'abv l', getClass: 'abv l', putClass: 'a w', patchClass: 'a w', deleteClass: 'a w' },
  ...{ listRollouts: 'av', getRollout: 'av', pauseRollout: 'a w', resumeRollout: 'a w' },
  ...{ rollbackRollout: 'a w', advanceRollout: 'a w' },
  ...{ getFleet: 'av', putFleet: 'a w', acknowledgeFleet: 'a w', retryFleet: 'a w', approveFleet: 'a w' },
  ...{ adoptFleet: 'a w', listOrphans: 'av', getOrphan: 'av', releaseOrphan: 'a w', keepOrphan: 'a w' },
  ...{ listTokens: 'a', getToken: 'a', createToken: 'a w', rotateToken: 'a w', revokeToken: 'a w' },
  applyAll: 'a w',
  ...{ listWebhookEndpoints: 'av', getWebhookEndpoint: 'av', listWebhookDeliveries: 'av' },
  ...{ addWebhookEndpoint: 'a w', putWebhookEndpoint: 'a w', removeWebhookEndpoint: 'a w' },
  ...{ rotateWebhookSecret: 'a w', testWebhookEndpoint: 'a w', redeliverWebhook: 'a w' },
  listLlmRevocations: 'av',
  ...{ listPools: 'abv', getPool: 'abv', putPool: 'a w', deletePool: 'a w' },
  ...{ listPairings: 'av l', approvePairing: 'a l w', rejectPairing: 'a l w' },
  ...{ whoami: 'abv l', listAudit: 'a', listSchemas: 'abv l', getSchema: 'abv l' },
  ...{ putEntitlements: 'ab l w', takeBillingWebhook: 'signed w' },
  ...{ getCosts: 'abv l', getUsage: 'abv l', getMetrics: 'av' },
  ...{ getOpenApi: 'open', getDocs: 'open', getDocsFile: 'open' },
  ...{ livez: 'open', readyz: 'open', getJwks: 'open', getProblem: 'open' },
}

type Row = Readonly<Record<Role, boolean>>
const letters: Readonly<Record<Role, string>> = { admin: 'a', billing: 'b', viewer: 'v' }

function rowOf(id: string): { readonly may: Row | 'open'; readonly limited: boolean; readonly audited: boolean } {
  const [who = '', ...flags] = (operations[id] ?? '').split(' ')
  const may = (role: Role) => who.includes(letters[role])
  const row = { admin: may('admin'), billing: may('billing'), viewer: may('viewer') }
  return {
    may: who === 'open' || who === 'signed' ? 'open' : row,
    limited: flags.includes('l'),
    audited: flags.includes('w'),
  }
}

/** A service token for each role, beside nobody and somebody who made one up. */
async function tokensOf(api: ApiUnderTest, more: object = {}): Promise<Readonly<Record<Role, string>>> {
  const make = async (role: Role) => {
    const body = JSON.stringify({ name: role, role, ...more })
    const headers = { 'content-type': 'application/json' }
    return String((await api.call('/v1/tokens', { method: 'POST', headers, body })).json()['secret'])
  }
  return { admin: await make('admin'), billing: await make('billing'), viewer: await make('viewer') }
}

/** Asked of something that is not there, or with a body that cannot be read: whoever is let in changes nothing. */
function askAs(api: ApiUnderTest, operation: Operation, token: string | undefined) {
  const method = operation.method.toUpperCase()
  const headers = { 'content-type': 'text/plain', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) }
  const address = `${api.url}${operation.path.replaceAll(/\{\w+\}/g, 'none')}`
  return ask(address, { method, headers, ...(operation.body === undefined ? {} : { body: 'x' }) })
}

test('every operation has its row, and every row its operation', async (t) => {
  const api = await startTestApi(t)
  t.deepEqual(api.operations.map(({ id }) => id).sort(), Object.keys(operations).sort())
  for (const { id, limited, changes, roles: may } of api.operations) {
    const row = rowOf(id)
    t.is(limited && may !== 'open', row.limited, id)
    t.is(changes, row.audited, id)
  }
})

test('each role is let in as the table says, and nobody else is', async (t) => {
  const api = await startTestApi(t)
  const tokens = await tokensOf(api)
  const limited = await tokensOf(api, { labelSelector: 'plan=pro' })
  for (const operation of api.operations) {
    // What is signed needs no token, and has refusals of its own.
    if (operations[operation.id]?.startsWith('signed') === true) continue
    const { may, limited: within } = rowOf(operation.id)
    for (const role of roles) {
      const { status } = await askAs(api, operation, tokens[role])
      t.is(status === 403, may !== 'open' && !may[role], `${role} ${operation.id}: ${status}`)
      t.true(status !== 401 && status < 500, `${role} ${operation.id}: ${status}`)
      const other = await askAs(api, operation, limited[role])
      t.is(other.status === 403, may !== 'open' && !(may[role] && within), `limited ${role} ${operation.id}`)
    }
    for (const token of [undefined, 'made-up', `${tokens.admin}x`, tokens.admin.replace('moor_', '')])
      t.is((await askAs(api, operation, token)).status === 401, may !== 'open', `${token ?? 'nobody'} ${operation.id}`)
  }
})

interface FieldRow {
  /** Who may write it, and by which operation. */
  readonly by: 'putTenant' | 'putEntitlement' | 'nobody'
  readonly owner: string
  readonly value: unknown
}

const spec = (value: unknown): FieldRow => ({ by: 'putTenant', owner: 'admin', value })
const billed = (value: unknown): FieldRow => ({ by: 'putEntitlement', owner: 'billing', value })
const kept = (value: unknown): FieldRow => ({ by: 'nobody', owner: 'controller', value })

/** Each field of a tenant with a value that it does not have. */
const fields: Readonly<Record<string, FieldRow>> = {
  labels: spec({ plan: 'other' }),
  'spec.state': spec('suspended'),
  'spec.class': spec('byok'),
  'spec.region': spec('ams'),
  'spec.image': spec('ghcr.io/openclaw/openclaw:2027.1.1'),
  'spec.guest': spec({ cpuKind: 'shared', cpus: 2, memoryMb: 4096 }),
  'spec.volume': spec({ sizeGb: 7 }),
  'spec.config': spec({ key: 'x' }),
  'spec.domains': spec(['a.test']),
  'spec.idle': spec({ afterMinutes: 3 }),
  'spec.update': spec('immediate'),
  'spec.paused': spec(true),
  'entitlement.state': billed('suspended'),
  'entitlement.reason': billed('past due'),
  parked: { by: 'nobody', owner: 'billing', value: { entitlement: { state: 'ended' }, since: 1 } },
  status: kept({ effective: 'running' }),
  uid: kept('x'),
  generation: kept(9),
  revision: kept(9),
  createdAt: kept('2026-01-01T00:00:00Z'),
}

function at(tenant: Tenant, path: string): unknown {
  const inner = (value: unknown, name: string) => (value as Record<string, unknown> | undefined)?.[name]
  return path.split('.').reduce<unknown>(inner, tenant)
}

/** The field alone in a document for the operation; a field of an entitlement has its place in the entitlement itself. */
function documentFor(by: Attempt['by'], path: string, value: unknown): object {
  const [first = '', second] = path.split('.')
  const field = second === undefined ? { [first]: value } : { [first]: { [second]: value } }
  if (by === 'putTenant') return { ...wanted('acme'), ...field }
  if (by === 'patchTenant') return field
  const own = first === 'entitlement' && second !== undefined ? { [second]: value } : field
  return { state: 'active', ...own }
}

const wishOf = ({ labels, spec: has, entitlement: said, parked, generation, uid }: Tenant) => ({
  ...{ labels, spec: has, entitlement: said, parked, generation, uid },
})

test('each field has its row', (t) => {
  const shape = Object.keys(tenantSpec.shape).map((name) => `spec.${name}`)
  const said = Object.keys(entitlement.shape).map((name) => `entitlement.${name}`)
  const document = Object.keys(tenantDocument.shape).filter((name) => !['kind', 'name', 'spec'].includes(name))
  for (const name of [...shape, ...said, ...document]) t.true(Object.hasOwn(fields, name), name)
})

async function tryField(t: ExecutionContext, api: ApiUnderTest, path: string, attempt: Attempt): Promise<void> {
  const { role, token, by } = attempt
  const row = fields[path]
  if (row === undefined) return t.fail(path)
  const what = `${role} ${by} ${path}`
  const may = rowOf(by).may
  const before = await stored(api.tenants, 'acme')
  const address = by === 'putEntitlement' ? '/v1/tenants/acme/entitlement' : '/v1/tenants/acme'
  const [method, type] = by === 'patchTenant' ? ['PATCH', 'application/merge-patch+json'] : ['PUT', 'application/json']
  const answer = await ask(`${api.url}${address}`, {
    ...{ method, headers: { authorization: `Bearer ${token}`, 'content-type': type } },
    body: JSON.stringify(documentFor(by, path, row.value)),
  })
  const after = await stored(api.tenants, 'acme')
  if (may !== 'open' && may[role] && row.by === (by === 'patchTenant' ? 'putTenant' : by)) {
    t.is(answer.status, 200, `${what}: ${answer.text}`)
    t.deepEqual(at(after, path), row.value, what)
    await api.tenants.change(after, before)
    return
  }
  t.deepEqual(wishOf(after), wishOf(before), what)
  if (may !== 'open' && !may[role]) return void t.like(answer.json(), { status: 403, code: 'forbidden' }, what)
  const [field] = path.split('.')
  // What an entitlement has no owner for is not known there at all.
  const known = by !== 'putEntitlement' || ['spec', 'labels', 'status'].includes(field ?? '')
  const conflicts = [{ field, owner: row.owner }]
  if (known) t.like(answer.json(), { status: 409, code: 'field-conflict', conflicts }, what)
  else t.is(answer.status, 400, what)
}

interface Attempt {
  readonly role: Role
  readonly token: string
  readonly by: 'putTenant' | 'patchTenant' | 'putEntitlement'
}

test('each role writes its own fields by its own operation, and a conflict names field and owner', async (t) => {
  const api = await startTestApi(t)
  const tokens = await tokensOf(api)
  await api.putJson('acme', wanted('acme'))
  for (const path of Object.keys(fields))
    for (const role of roles)
      for (const by of ['putTenant', 'patchTenant', 'putEntitlement'] as const)
        await tryField(t, api, path, { role, token: tokens[role], by })
})
