// The manners of lists and of partial writes: selectors, columns, links to the next page, merge patches, trying without doing.
import test from 'ava'
import fc from 'fast-check'
import { merged } from '../../src/api/merge-patch.ts'
import { emptyWorld } from '../helpers/model.ts'
import { inputFor } from '../helpers/worlds.ts'
import { startTestApi, stored, tenantDocument, type ApiUnderTest } from './fixture.ts'

const names = (answer: { json(): Record<string, unknown> }) =>
  (answer.json()['items'] as { name: string }[]).map(({ name }) => name)

const patchOf = (body: unknown, headers: Record<string, string> = {}) => ({
  method: 'PATCH',
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/merge-patch+json', ...headers },
})

async function five(api: ApiUnderTest): Promise<void> {
  const put = (name: string, spec: object, labels: object) => api.putJson(name, tenantDocument(name, spec, labels))
  await put('a', { region: 'iad' }, { plan: 'pro' })
  await put('b', { region: 'ams' }, { plan: 'team', trial: 'yes' })
  await put('c', { region: 'iad', state: 'suspended' }, { plan: 'team', 'example.com/tier': 'gold' })
  await put('d', { region: 'ams', class: 'byok' }, { plan: 'free' })
  await put('e', {}, {})
}

const selections: readonly (readonly [query: string, names: string])[] = [
  ['labelSelector=plan in (pro,team),!trial', 'ac'],
  ['labelSelector=plan', 'abcd'],
  ['labelSelector=plan!=team', 'ade'],
  ['labelSelector=plan notin (pro,free)', 'bce'],
  ['labelSelector=example.com/tier=gold', 'c'],
  ['labelSelector=!example.com/tier,plan', 'abd'],
  ['labelSelector=', 'abcde'],
  ['fieldSelector=spec.region=iad', 'ace'],
  ['fieldSelector=spec.region!=iad', 'bd'],
  ['fieldSelector=spec.state=suspended,spec.region=iad', 'c'],
  ['fieldSelector=status.machine.state=', 'abcde'],
  ['fieldSelector=status.machine.state!=started', 'abcde'],
  ['fieldSelector=spec.class=byok&labelSelector=plan=free', 'd'],
  ['fieldSelector=name=e', 'e'],
  ['labelSelector=plan=none', ''],
]

test('selectors choose by labels and by fields, and pages of a selection leave nobody out', async (t) => {
  const api = await startTestApi(t)
  await five(api)
  for (const [query, expected] of selections) {
    t.is(names(await api.call(`/v1/tenants?${encodeURI(query)}`)).join(''), expected, query)
    let [found, address] = ['', `/v1/tenants?limit=1&${encodeURI(query)}`]
    for (let pages = 0; address !== '' && pages < 9; pages += 1) {
      const page = await api.call(address)
      found += names(page).join('')
      // Whoever follows the link needs to know nothing of cursors.
      address = /^<([^>]+)>; rel="next"$/.exec(String(page.headers['link'] ?? ''))?.[1] ?? ''
      t.is(address !== '', 'nextCursor' in page.json())
    }
    t.is(found, expected, `${query}, one by one`)
  }
})

test('a selector that is wrong is refused with the place where', async (t) => {
  const api = await startTestApi(t)
  for (const [query, path, reason] of [
    ['labelSelector=plan in', 'labelSelector', /character 8/],
    ['labelSelector=(', 'labelSelector', /character 1/],
    ['fieldSelector=spec.config=1', 'fieldSelector', /cannot be selected by: only name/],
    ['fieldSelector=name', 'fieldSelector', /expected/],
    ['fieldSelector=__proto__=1', 'fieldSelector', /cannot be selected/],
  ] as const) {
    const answer = await api.call(`/v1/tenants?${encodeURI(query)}`)
    t.is(answer.status, 400, query)
    const { errors } = answer.json() as { errors: { path: string; detail: string }[] }
    t.is(errors[0]?.path, path)
    t.regex(errors[0]?.detail ?? '', reason)
  }
})

test('lists are printed in columns for who asks for text', async (t) => {
  const api = await startTestApi(t)
  await five(api)
  const asked = await api.call('/v1/tenants?output=table&limit=2')
  t.is(asked.headers['content-type'], 'text/plain; charset=utf-8')
  t.regex(String(asked.headers['link']), /output=table&limit=2&cursor=/)
  const [title, first] = asked.text.split('\n')
  t.regex(title ?? '', /^NAME +READY +STATE +REGION +CLASS +AGE +MACHINE +REASON$/)
  t.regex(first ?? '', /^a +Unknown +running +iad +standard +\d+s +- +-$/)
  const accept = (value: string) => api.call('/v1/tenants', { headers: { accept: value } })
  t.is((await accept('text/plain')).text.split('\n').length, 7)
  for (const json of ['*/*', 'application/json', 'application/json, text/plain', 'image/png'])
    t.is((await accept(json)).headers['content-type'], 'application/json; charset=utf-8', json)
  t.regex((await api.call('/v1/classes?output=table')).text, /^NAME +IMAGE +ROLLOUT +AGE\n/)
  t.regex((await api.call('/v1/rollouts?output=table')).text, /^ID +CLASS +STATE +WAVE +AGE +REASON\n/)
  t.regex((await api.call('/v1/orphans?output=table')).text, /^ID +KIND +STATE +REGION +AGE +REASON\n/)
  t.is((await api.call('/v1/tenants?output=xml')).status, 400)
})

test('a merge patch changes what it names and nothing else', async (t) => {
  const api = await startTestApi(t)
  await api.putJson('acme', tenantDocument('acme', { region: 'ams', config: { a: { b: 1 }, c: 2 } }, { plan: 'pro' }))
  const patch = { labels: { plan: null, tier: 'gold' }, spec: { state: 'suspended', config: { a: { b: null, d: 3 } } } }
  const answer = await api.call('/v1/tenants/acme', patchOf(patch))
  t.is(answer.status, 200)
  t.like(answer.json(), {
    ...{ labels: { tier: 'gold' }, generation: 2 },
    spec: { state: 'suspended', region: 'ams', config: { a: { d: 3 }, c: 2 } },
  })
  t.is((await api.call('/v1/tenants/acme', patchOf(patch))).headers.etag, answer.headers.etag, 'again changes nothing')
  const back = await api.call('/v1/tenants/acme', patchOf({ spec: { state: null } }))
  t.like(back.json(), { spec: { state: 'running' } })
})

test('a merge patch is refused like the document it makes, and changes nothing then', async (t) => {
  const api = await startTestApi(t)
  const { headers } = await api.putJson('acme', tenantDocument('acme'))
  const before = await stored(api.tenants, 'acme')
  const status = async (path: string, asked: object) => (await api.call(path, asked)).status
  for (const [body, path] of [
    [{ spec: { region: 'nowhere' } }, 'spec.region'],
    [{ spec: { bogus: 1 } }, 'spec.bogus'],
    [{ spec: null }, 'spec'],
    [{ name: 'other' }, 'name'],
    [{ spec: { class: 'none' } }, 'spec.class'],
    [{ spec: { config: JSON.parse('{"__proto__": {"a": 1}}') as unknown } }, 'spec.config.__proto__'],
  ] as const) {
    const answer = await api.call('/v1/tenants/acme', patchOf(body))
    t.is(answer.status, 400, path)
    t.is((answer.json()['errors'] as { path: string }[])[0]?.path, path)
  }
  t.is(await status('/v1/tenants/acme', patchOf([1])), 400)
  t.is(await status('/v1/tenants/acme', patchOf({ spec: {} }, { 'content-type': 'application/json' })), 415)
  t.is(await status('/v1/tenants/acme', patchOf({ spec: {} }, { 'if-match': '"x"' })), 412)
  t.is(await status('/v1/tenants/nobody', patchOf({ spec: {} })), 404)
  t.deepEqual(await stored(api.tenants, 'acme'), before)
  t.is(await status('/v1/tenants/acme', patchOf({ labels: { a: 'b' } }, { 'if-match': headers.etag ?? '' })), 200)
})

test('of many who patch different fields at the same time each is kept', async (t) => {
  const api = await startTestApi(t)
  await api.putJson('acme', tenantDocument('acme'))
  const keys = ['a', 'b', 'c', 'd']
  const answers = await Promise.all(
    keys.map((key) => api.call('/v1/tenants/acme', patchOf({ labels: { [key]: 'x' } }))),
  )
  t.deepEqual(
    answers.map(({ status }) => status),
    keys.map(() => 200),
  )
  t.deepEqual((await stored(api.tenants, 'acme')).labels, { a: 'x', b: 'x', c: 'x', d: 'x' })
})

test('a class is patched, and a new image of it needs its digest', async (t) => {
  const api = await startTestApi(t)
  const answer = await api.call('/v1/classes/byok', patchOf({ spec: { idle: { afterMinutes: 7 } } }))
  t.like(answer.json(), { generation: 2, spec: { idle: { afterMinutes: 7 } } })
  t.is((await api.call('/v1/classes/byok', patchOf({ spec: { image: 'ghcr.io/x/y:2' } }))).status, 400)
  t.is((await api.call('/v1/classes/byok', patchOf({ name: 'other' }))).status, 400)
  t.is((await api.call('/v1/classes/none', patchOf({ spec: {} }))).status, 404)
})

test('RFC 7396 holds for any documents', (t) => {
  const plain = fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown)
  fc.assert(
    fc.property(plain, plain, (target, patch) => {
      const result = merged(target, patch)
      t.deepEqual(merged(result, patch), result, 'again changes nothing')
      if (typeof patch !== 'object' || Array.isArray(patch)) t.deepEqual(result, patch)
    }),
    { numRuns: 300, seed: 7 },
  )
  t.deepEqual(merged({ a: [1, 2], e: null }, { a: [3], b: { c: null } }), { a: [3], b: {}, e: null })
})

test('whatever a person asks of a tenant can be tried without being done', async (t) => {
  const look = async (tenant: Parameters<typeof inputFor>[0]) => inputFor(tenant, emptyWorld(), Date.now())
  const api = await startTestApi(t, () => ({ insight: { look, diff: () => Promise.reject(new Error('not asked')) } }))
  for (const name of ['a', 'b', 'c', 'd']) await api.putJson(name, tenantDocument(name))
  const before = await stored(api.tenants, 'a')
  const entitle = (name: string, query: string) => {
    const headers = { 'content-type': 'application/json' }
    return api.call(`/v1/tenants/${name}/entitlement${query}`, {
      method: 'PUT',
      body: '{"state":"suspended"}',
      headers,
    })
  }
  const tried = await entitle('a', '?dryRun=server')
  t.like(tried.json(), { dryRun: true, creates: false })
  for (let times = 0; times < 5; times += 1) await entitle('a', '?dryRun=server')
  t.is((await api.call('/v1/tenants/a?dryRun=server', patchOf({ spec: { region: 'ams' } }))).status, 200)
  t.like((await api.call('/v1/tenants/a/actions/retry?dryRun=server', { method: 'POST' })).json(), { dryRun: true })
  t.is((await api.call('/v1/tenants/a/actions/undelete?dryRun=server', { method: 'POST' })).status, 409)
  t.deepEqual(await stored(api.tenants, 'a'), before)
  // The brake gives three an hour; trying has taken none of them.
  for (const name of ['a', 'b', 'c']) t.is((await entitle(name, '')).status, 200, name)
  t.is((await entitle('d', '')).status, 202)
})
