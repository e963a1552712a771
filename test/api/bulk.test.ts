// Many documents at once: a result for each, and one that is refused is no matter of the others.
import test from 'ava'
import { startTestApi, stored, tenantDocument, type ApiUnderTest } from './fixture.ts'
import { everything } from '../helpers/everything.ts'
import { limitedToken } from './listener.ts'

interface Results {
  readonly dryRun?: boolean
  readonly results: readonly { readonly name: string; readonly outcome: string }[]
}

const send = (api: ApiUnderTest, type: string, body: string) =>
  api.call('/v1/apply', { method: 'POST', body, headers: { 'content-type': `application/${type}` } })

const yaml = `# the fleet
---
kind: Tenant
name: one
spec: {}
---
kind: Tenant
name: two
spec:
  region: nowhere
---
# nothing here
---
kind: Class
name: one
spec: {}
---
kind: Tenant
name: three
labels: {plan: pro}
spec: {state: suspended}
`

test('each document of a YAML stream is applied for itself, and a fault is placed in the whole text', async (t) => {
  const api = await startTestApi(t)
  const { status, ...answer } = await send(api, 'yaml', yaml)
  t.is(status, 200)
  const { results, failed } = answer.json() as { results: Record<string, unknown>[]; failed: number }
  t.deepEqual(
    results.map(({ index, line, kind, name, status: one, outcome }) => [index, line, kind, name, one, outcome]),
    [
      [0, 2, 'Tenant', 'one', 201, 'created'],
      [1, 6, 'Tenant', 'two', 400, 'refused'],
      [2, 13, 'Class', 'one', 400, 'refused'],
      [3, 17, 'Tenant', 'three', 201, 'created'],
    ],
  )
  t.is(failed, 2)
  t.like(results[1], { problem: { code: 'invalid', errors: [{ path: 'spec.region', line: 10, column: 11 }] } })
  t.deepEqual((await api.tenants.page({ limit: 9 })).map(({ name }) => name).sort(), ['one', 'three'])
  const again = (await send(api, 'yaml', yaml.replace('plan: pro', 'plan: team'))).json() as {
    results: { status: number; outcome: string }[]
  }
  t.deepEqual(
    again.results.map(({ status: one, outcome }) => `${one} ${outcome}`),
    ['200 unchanged', '400 refused', '400 refused', '200 configured'],
  )
})

const pool = (max: number) => ({ kind: 'Pool', name: 'warm', spec: { region: 'iad', class: 'standard', min: 0, max } })

test('pools and classes are applied beside tenants, but not by whom a label selector limits', async (t) => {
  const api = await startTestApi(t)
  const tenant = tenantDocument('acme', {}, { plan: 'pro' })
  const outcomes = async (body: unknown[], token?: string) => {
    const headers = {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    }
    const answer = await api.call('/v1/apply', { method: 'POST', body: JSON.stringify(body), headers })
    const { results } = answer.json() as { results: { outcome: string; status: number }[] }
    return results.map(({ outcome, status }) => `${status} ${outcome}`)
  }
  t.deepEqual(await outcomes([pool(2), tenant]), ['201 created', '201 created'])
  t.deepEqual(await outcomes([pool(2), pool(3), pool(-1)]), ['200 unchanged', '200 configured', '400 refused'])
  t.like((await api.call('/v1/pools/warm')).json(), { spec: { max: 3 }, generation: 2 })
  const token = await limitedToken(api, 'plan=pro', 'admin')
  const other = tenantDocument('beta', {}, { plan: 'free' })
  const shipped = (await api.call('/v1/classes/standard')).json() as { spec: object }
  const standard = { kind: 'Class', name: 'standard', spec: shipped.spec }
  t.deepEqual(await outcomes([tenant, other, pool(4), standard], token), [
    '200 unchanged',
    '403 refused',
    '403 refused',
    '403 refused',
  ])
  t.like((await api.call('/v1/pools/warm')).json(), { spec: { max: 3 } })
})

test('a dry run says what would become of a class, a pool and tenants, the class’s too, and stores nothing', async (t) => {
  const api = await startTestApi(t)
  t.is((await api.putJson('acme', tenantDocument('acme'))).status, 201)
  const classes = (await api.call('/v1/classes/standard')).json() as unknown as { spec: object }
  const digest = `@sha256:${'a'.repeat(64)}`
  const documents = [
    { kind: 'Class', name: 'large', spec: { ...classes.spec, image: `registry.test/openclaw${digest}` } },
    { kind: 'Pool', name: 'warm', spec: { region: 'iad', class: 'large', min: 1, max: 2, tier: 'running' } },
    tenantDocument('globex', { class: 'large' }),
    tenantDocument('acme', { class: 'byok' }),
    tenantDocument('acme', { class: 'unknown' }),
    tenantDocument('globex'),
  ]
  const before = await everything(api.db)
  const sent = { method: 'POST', body: JSON.stringify(documents), headers: { 'content-type': 'application/json' } }
  const tried = (await api.call('/v1/apply?dryRun=server', sent)).json() as unknown as Results
  t.like(tried, { dryRun: true, failed: 1 })
  const told = (results: Results['results']) => results.map(({ name, outcome }) => `${name} ${outcome}`)
  const expected = ['large created', 'warm created', 'globex created', 'acme configured', 'acme refused', 'globex configured'] // prettier-ignore
  t.deepEqual(told(tried.results), expected)
  t.deepEqual(await everything(api.db), before)
  t.is((await api.call('/v1/classes/large')).status, 404)
  // Done in earnest, the same documents have the same outcomes.
  const done = (await api.call('/v1/apply', sent)).json() as unknown as Results
  t.deepEqual(told(done.results), expected)
  t.is(done.dryRun, undefined)
})

test('a field of somebody else’s is a conflict; with force an admin takes over what can be taken', async (t) => {
  const api = await startTestApi(t)
  const billed = { ...tenantDocument('acme'), entitlement: { state: 'suspended', reason: 'by hand' } }
  const put = (query: string, document: object) =>
    api.call(`/v1/tenants/acme${query}`, {
      ...{ method: 'PUT', body: JSON.stringify(document) },
      headers: { 'content-type': 'application/json', 'x-reason': 'by hand' },
    })
  const conflicts = [{ field: 'entitlement', owner: 'billing', force: true }]
  t.like((await put('', billed)).json(), { status: 409, code: 'field-conflict', conflicts })
  t.is(await api.tenants.byName('acme'), undefined)
  t.like((await put('?force=true', billed)).json(), { entitlement: { state: 'suspended' } })
  t.is((await put('?force=true&dryRun=server', tenantDocument('acme'))).status, 404)
  const kept = { ...billed, status: {}, uid: 'x' }
  t.like((await put('?force=true', kept)).json(), { status: 409, conflicts: [{ field: 'status' }, { field: 'uid' }] })
  // What is not named is left as it is, and billing's next word counts again.
  t.is((await put('?force=true', tenantDocument('acme'))).status, 200)
  t.is((await stored(api.tenants, 'acme')).entitlement.state, 'suspended')
  const yaml = JSON.stringify([{ ...billed, entitlement: { state: 'active' } }])
  const bulk = async (query: string) => {
    const headers = { 'content-type': 'application/json' }
    const answer = await api.call(`/v1/apply${query}`, { method: 'POST', body: yaml, headers })
    return (answer.json()['results'] as object[])[0]
  }
  t.like(await bulk(''), { status: 409, outcome: 'refused', kind: 'Tenant', name: 'acme', problem: { conflicts } })
  t.like(await bulk('?force=true'), { status: 200, outcome: 'configured' })
  t.is((await stored(api.tenants, 'acme')).entitlement.state, 'active')
  const patch = (query: string) =>
    api.call(`/v1/tenants/acme${query}`, {
      ...{ method: 'PATCH', body: '{"entitlement":{"state":"ended"}}' },
      headers: { 'content-type': 'application/merge-patch+json' },
    })
  t.is((await patch('')).status, 409)
  t.is((await patch('?force=true')).status, 200)
  t.is((await stored(api.tenants, 'acme')).entitlement.state, 'ended')
  t.is((await stored(api.tenants, 'acme')).entitledBy, 'admin')
  const { items } = (await api.call('/v1/audit?object=tenants/acme')).json() as { items: object[] }
  t.true(items.some((entry) => JSON.stringify(entry).includes('"reason":"by hand"')))
})

test('a list in JSON is as good, 500 documents are the most, and what is no list is refused whole', async (t) => {
  const api = await startTestApi(t)
  const list = (length: number) => JSON.stringify(Array.from({ length }, (_, at) => tenantDocument(`t${at}`)))
  const done = (await send(api, 'json', list(40))).json() as { failed: number; results: unknown[] }
  t.is(done.results.length, 40)
  t.is(done.failed, 0)
  t.is((await api.tenants.uids()).length, 40)
  t.is((await send(api, 'json', list(501))).status, 413)
  for (const body of ['{}', '[', 'null', '[]', '"x"']) t.is((await send(api, 'json', body)).status, 400, body)
  for (const body of ['', '# nothing', '---\n---\n']) t.is((await send(api, 'yaml', body)).status, 400, body)
  const hostile = (await send(api, 'json', '[{"__proto__": {"a": 1}}, null, 7, {"kind": "Pool"}]')).json()
  t.is(hostile['failed'], 4)
  t.is((await api.tenants.uids()).length, 40)
})
