// Who gets in: nothing but the addresses that are open on purpose, however an address is spelled.
import test from 'ava'
import { ask } from '../helpers/client.ts'
import { startTestApi, tenantDocument, token } from './fixture.ts'

const closed: readonly (readonly [method: string, path: string])[] = [
  ['GET', '/v1/tenants'],
  ['HEAD', '/v1/tenants'],
  ['OPTIONS', '/v1/tenants'],
  ['GET', '/v1/tenants/acme'],
  ['PUT', '/v1/tenants/acme'],
  ['DELETE', '/v1/tenants/acme'],
  ['PUT', '/v1/tenants/acme/entitlement'],
  ['GET', '/v1/tenants/acme/plan'],
  ['POST', '/v1/tenants/acme/actions/retry'],
  ['GET', '/v1/classes'],
  ['GET', '/v1/classes/standard'],
  ['GET', '/v1/schemas'],
  ['GET', '/v1/schemas/Tenant'],
  ['GET', '/v1'],
  ['GET', '/v1/nothing'],
  ['GET', '/nothing'],
  ['GET', '/'],
]

/** Other spellings of closed addresses: none of them may reach a route that its first spelling does not. */
const spellings = [
  ...[
    '/V1/tenants',
    '/V1/TENANTS/acme',
    '/v1/Tenants',
    '//v1/tenants',
    '/v1//tenants',
    '/v1/tenants/',
    '/./v1/tenants',
  ],
  ...['/livez/../v1/tenants', '/livez/..%2fv1/tenants', '/v1%2ftenants', '/%761/tenants', '/v1/tenants?x=/livez'],
  ...['/v1/tenants#/livez', '/v1;/tenants', '/v1/tenants%00', '/LIVEZ', '/Problems/invalid', '/problems/../v1/tenants'],
]

test('every other address needs the token, and the 401 tells nothing', async (t) => {
  const api = await startTestApi(t)
  await api.putJson('acme', tenantDocument('acme'))
  const before = await api.tenants.byName('acme')
  for (const [method, path] of [...closed, ...spellings.map((path) => ['GET', path] as const)]) {
    const answer = await ask(`${api.url}/`.slice(0, -1) + path, { method })
    t.is(answer.status, 401, `${method} ${path}`)
    t.is(answer.headers['www-authenticate'], 'Bearer realm="moorage"')
    t.notRegex(answer.text, /acme/)
  }
  t.deepEqual(await api.tenants.byName('acme'), before)
})

test('health, keys and the pages of problems are open', async (t) => {
  const api = await startTestApi(t)
  for (const path of ['/livez', '/readyz', '/readyz?verbose', '/.well-known/jwks.json', '/problems/domain-taken'])
    t.is((await ask(`${api.url}${path}`)).status, 200, path)
  t.is((await ask(`${api.url}/problems/nonsense`)).status, 404)
})

test('the scheme is read in any case; what is not exactly the token is refused', async (t) => {
  const api = await startTestApi(t)
  const status = async (authorization: string) =>
    (await ask(`${api.url}/v1/tenants`, { headers: { authorization } })).status
  for (const scheme of ['Bearer', 'bearer', 'BEARER', 'Bearer  ']) t.is(await status(`${scheme} ${token}`), 200, scheme)
  for (const wrong of [
    '',
    token,
    `Bearer ${token.slice(1)}`,
    `Bearer ${token} x`,
    `Bearer ${token.toUpperCase()}`,
    `Token ${token}`,
  ])
    t.is(await status(wrong), 401, wrong)
})
