// Many documents at once: a result for each, and one that is refused is no matter of the others.
import test from 'ava'
import { startTestApi, tenantDocument, type ApiUnderTest } from './fixture.ts'

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
    results.map(({ index, name, status: one }) => [index, name, one]),
    [
      [0, 'one', 201],
      [1, undefined, 400],
      [2, undefined, 400],
      [3, 'three', 201],
    ],
  )
  t.is(failed, 2)
  t.like(results[1], { problem: { code: 'invalid', errors: [{ path: 'spec.region', line: 10, column: 11 }] } })
  t.deepEqual((await api.tenants.page({ limit: 9 })).map(({ name }) => name).sort(), ['one', 'three'])
  const again = (await send(api, 'yaml', yaml)).json() as { results: { status: number }[] }
  t.deepEqual(
    again.results.map(({ status: one }) => one),
    [200, 400, 400, 200],
  )
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
