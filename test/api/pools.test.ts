// Pools over REST: written, patched, and listed as tenants are.
import test from 'ava'
import { startTestApi, type ApiUnderTest } from './fixture.ts'

const spec = (region: string) => ({ region, class: 'standard', min: 0, max: 2 })

const send = (api: ApiUnderTest, method: string, name: string, body: object, headers: Record<string, string> = {}) =>
  api.call(`/v1/pools/${name}`, {
    ...{ method, body: JSON.stringify(body) },
    headers: {
      'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
      ...headers,
    },
  })

const put = (api: ApiUnderTest, name: string, region: string) =>
  send(api, 'PUT', name, { kind: 'Pool', name, spec: spec(region) })

test('the list has pages, selectors, columns and rows', async (t) => {
  const api = await startTestApi(t)
  for (const [name, region] of [
    ['c', 'iad'],
    ['a', 'ams'],
    ['b', 'iad'],
  ] as const)
    await put(api, name, region)
  const names = async (query: string) => {
    const { items } = (await api.call(`/v1/pools${query}`)).json() as { items: { name: string }[] }
    return items.map(({ name }) => name).join('')
  }
  t.is(await names(''), 'abc')
  t.is(await names('?fieldSelector=spec.region%3Diad'), 'bc')
  t.is(await names('?fieldSelector=spec.region!%3Diad,spec.tier%3Drunning'), 'a')
  const first = await api.call('/v1/pools?limit=2')
  t.regex(String(first.headers['link']), /^<\/v1\/pools\?limit=2&cursor=.*>; rel="next"$/)
  t.is(await names(`?limit=2&cursor=${String(first.json()['nextCursor'])}`), 'c')
  for (const wrong of ['limit=0', 'cursor=!', 'fieldSelector=x%3D1', 'labelSelector=a', 'foo=1'])
    t.is((await api.call(`/v1/pools?${wrong}`)).status, 400, wrong)
  const table = await api.call('/v1/pools', { headers: { accept: 'text/plain' } })
  t.regex(table.text, /^NAME +REGION +CLASS +TIER +TARGET +WARM [^\n]*\na +ams +standard +running +0 +0 /)
  t.like((await api.call('/v1/pools?output=rows&limit=1')).json(), { rows: [{ name: 'a' }] })
})

test('a pool is patched field by field, and only as it was read', async (t) => {
  const api = await startTestApi(t)
  const made = await put(api, 'warm', 'iad')
  const etag = String(made.headers['etag'])
  t.like((await send(api, 'PATCH', 'warm', { spec: { max: 5 } }, { 'if-match': etag })).json(), {
    spec: { ...spec('iad'), max: 5 },
    generation: 2,
  })
  t.is((await send(api, 'PATCH', 'warm', { spec: { max: 6 } }, { 'if-match': etag })).status, 412)
  t.is((await send(api, 'PATCH', 'warm', { spec: { min: 9 } })).status, 400)
  t.is((await send(api, 'PATCH', 'warm', { name: 'other' })).status, 400)
  t.is((await send(api, 'PATCH', 'none', { spec: { min: 1 } })).status, 404)
  t.like((await send(api, 'PATCH', 'warm', { status: { warm: 9 } })).json(), { status: 409, code: 'field-conflict' })
  t.like((await api.call('/v1/pools/warm')).json(), { spec: { ...spec('iad'), max: 5 }, generation: 2 })
})
