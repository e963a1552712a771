// The secrets that callers hold: service tokens, webhooks' secrets in and out, an issuer's tokens and their claims, the tenants'
// LLM tokens, the collector's key. Each is used rightly and wrongly, and then searched for in all that is said and kept.
import test, { type ExecutionContext } from 'ava'
import { Webhook } from 'standardwebhooks'
import { audience, startIssuer, type TestIssuer } from '../identity/issuer.ts'
import { startReceiver } from '../tracing/receiver.ts'
import { receiver } from '../webhooks/fixture.ts'
import { api, ask, converged, flyState, put, type Asked } from '../helpers/client.ts'
import { startMoorage, until, withFolder, type Moorage } from '../helpers/processes.ts'
import { canariesOf, dump, filesBelow, leaksIn, type Said } from './canaries.ts'

const billing = `whsec_${Buffer.from('canary-billing-webhook-secret-32').toString('base64')}`
const collector = 'canary-collector-key'
/** Some receivers take the address itself for a password. */
const inAddress = 'canary-in-the-address'
const claim = 'canary-claim-of-the-issuer'

const json = { 'content-type': 'application/json' }
const post = (body?: object): Asked =>
  body === undefined ? { method: 'POST' } : { method: 'POST', headers: json, body: JSON.stringify(body) }

interface Issued {
  readonly id: string
}

/** Asks, and keeps what is answered. */
function asker(moorage: Moorage, said: Said[]) {
  const kept = async (path: string, asked: Asked = {}) => {
    const answer = await ask(`${moorage.api}${path}`, asked)
    said.push({ where: `the answer of ${asked.method ?? 'GET'} ${path}: ${answer.status}`, text: answer.text })
    return answer
  }
  return {
    kept,
    as: async (token: string, path = '/v1/whoami') =>
      (await kept(path, { headers: { authorization: `Bearer ${token}` } })).status,
    admin: (path: string, asked: Asked = {}) =>
      kept(path, { ...asked, headers: { ...asked.headers, authorization: `Bearer ${moorage.token}` } }),
    /** The answers that show a secret once. */
    secretOf: async (path: string, asked: Asked): Promise<{ id: string; secret: string }> => {
      const answer = await api(moorage, path, asked)
      const {
        token,
        id = token?.id ?? '',
        secret = '',
      } = answer.json() as { token?: Issued; id?: string; secret?: string }
      if (secret === '') throw new Error(`${path} answered ${answer.status} without a secret`)
      return { id, secret }
    },
  }
}

type Asker = ReturnType<typeof asker>

/** A service token from its making to its end, used where it belongs and where it does not. */
async function useTokens(t: ExecutionContext, { as, kept, admin, secretOf }: Asker): Promise<string[]> {
  const { id, secret } = await secretOf('/v1/tokens', post({ name: 'ci', role: 'admin' }))
  t.is(await as(secret), 200)
  const { secret: next } = await secretOf(`/v1/tokens/${id}/actions/rotate`, post({ graceHours: 1 }))
  t.is(await as(next, '/v1/tokens'), 200)
  t.is(await as(`${next}x`), 401)
  t.is((await kept(`/v1/whoami?access_token=${next}`)).status, 401)
  t.is((await kept('/v1/whoami', { headers: { cookie: next, authorization: `Basic ${next}` } })).status, 401)
  t.is((await admin(`/v1/tokens/${id}`, { method: 'DELETE' })).status, 204)
  t.is(await as(next), 401)
  return [secret, next]
}

/** An endpoint that is told, one that fails, and a secret that is replaced. */
async function useWebhooks(t: ExecutionContext, { admin, secretOf }: Asker): Promise<string[]> {
  const works = await receiver(t, () => 204)
  const fails = await receiver(t, () => 500)
  const path = '/v1/webhook-endpoints'
  const { id, secret } = await secretOf(path, post({ url: `${works.url}?key=${inAddress}` }))
  const { id: failing, secret: other } = await secretOf(path, post({ url: `${fails.url}?key=${inAddress}` }))
  for (const each of [id, failing]) t.is((await admin(`${path}/${each}/actions/test`, post())).status, 202)
  const { secret: next } = await secretOf(`${path}/${id}/actions/rotate-secret`, post())
  await until('both are told', 60_000, async () =>
    works.received.length > 0 && fails.received.length > 0 ? true : undefined,
  )
  await admin('/v1/webhook-deliveries')
  await admin(`${path}/${failing}`, { method: 'DELETE' })
  for (const { body } of [...works.received, ...fails.received]) t.notRegex(body, /whsec_|canary/)
  return [secret, other, next]
}

async function useBilling(t: ExecutionContext, { kept }: Asker): Promise<void> {
  const word = [{ tenant: 'hooli', entitlement: 'active', occurredAt: new Date().toISOString() }]
  const body = JSON.stringify(word)
  const send = (id: string, signature: string, at: Date) =>
    kept('/v1/hooks/billing', {
      ...{ method: 'POST', body },
      headers: { ...json, 'webhook-id': id, 'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)), 'webhook-signature': signature }, // prettier-ignore
    })
  const [now, before] = [new Date(), new Date(Date.now() - 3_600_000)]
  const hook = new Webhook(billing)
  t.is((await send('msg_1', hook.sign('msg_1', now, body), now)).status, 200)
  t.is((await send('msg_2', hook.sign('msg_2', before, body), before)).status, 401)
  t.is((await send('msg_3', `v1,${billing}`, now)).status, 401)
}

async function useIssuer(t: ExecutionContext, issuer: TestIssuer, { as }: Asker): Promise<string[]> {
  const said = { address: claim, nonce: claim }
  const right = await issuer.sign({ ...said, roles: ['admin'] })
  const wrong = await issuer.sign({ ...said, roles: ['admin'], aud: 'another' })
  const roleless = await issuer.sign({ ...said, roles: [claim] })
  t.is(await as(right, '/v1/tenants'), 200)
  t.is(await as(wrong), 401)
  t.is(await as(roleless), 403)
  return [right, wrong, roleless]
}

const paths = [
  ...['/metrics', '/v1/audit', '/v1/events', '/v1/tokens', '/v1/webhook-deliveries', '/v1/tenants', '/v1/fleet'],
  ...[
    '/v1/llm/revocations',
    '/.well-known/jwks.json',
    '/v1/tenants/hooli',
    '/v1/tenants/hooli/timeline',
    '/openapi.json',
  ],
]

test('the secrets of callers are in no log, answer, event, metric or trace, and not in the database', (t) => {
  t.timeout(300_000)
  return withFolder(async (folder) => {
    const [issuer, traces] = [await startIssuer(t), await startReceiver(t)]
    const moorage = await startMoorage(folder, {
      ...{ MOORAGE_BILLING_WEBHOOK_SECRETS: billing, MOORAGE_WEBHOOK_ALLOW_PRIVATE: '1', MOORAGE_LOG_LEVEL: 'trace' },
      ...{ MOORAGE_OIDC_ISSUER: issuer.url, MOORAGE_OIDC_AUDIENCE: audience },
      ...{ OTEL_EXPORTER_OTLP_ENDPOINT: traces.url, OTEL_EXPORTER_OTLP_HEADERS: `authorization=${collector}` },
    })
    const said: Said[] = []
    try {
      const asks = asker(moorage, said)
      t.is((await put(moorage, 'hooli', { class: 'standard' })).status, 201)
      const { uid } = await converged(moorage, 'hooli')
      const tokens = await useTokens(t, asks)
      const hooks = await useWebhooks(t, asks)
      await useBilling(t, asks)
      const issued = await useIssuer(t, issuer, asks)
      for (const path of paths) t.is((await asks.admin(path)).status, 200, path)
      await asks.kept('/v1/webhook-endpoints')
      const { machines } = await flyState(moorage.fly)
      const llm = machines.find(({ config }) => config.metadata['moorage_uid'] === uid)?.config.env[
        'KIWICLAW_PROXY_TOKEN'
      ]
      await moorage.end('SIGTERM')

      t.regex(traces.text(), /canary-collector-key/, 'the collector was told who we are')
      const spans = traces.text().replaceAll(/^POST .*$/gm, '')
      t.true(spans.length > 1_000)
      const database = await dump(folder)
      for (const name of ['tokens', 'webhook_endpoints', 'webhook_deliveries', 'audit', 'events'])
        t.true((database.get(name)?.length ?? 0) > 10, name)
      // The simulated Fly is another's: it holds what it was given for the machines.
      const files = (await filesBelow(folder)).filter(({ name }) => !name.startsWith('fly'))
      t.true(files.some(({ name, text }) => name === 'moorage.log' && text.length > 2_000))
      said.push(
        ...[...database].map(([name, text]) => ({ where: `the collection ${name}`, text })),
        ...files.map(({ name, text }) => ({ where: `the file ${name}`, text })),
        ...[
          { where: 'the output', text: moorage.output() },
          { where: 'the traces', text: spans },
        ],
      )
      const canaries = [
        ...tokens.flatMap((secret) => canariesOf('a service token', secret)),
        ...hooks.flatMap((secret) => canariesOf('a webhook’s secret', secret)),
        ...canariesOf('billing’s secret', billing),
        ...issued.flatMap((token) => canariesOf('the issuer’s token', token)),
        ...canariesOf('an LLM token', llm ?? t.fail('hooli has no LLM token')),
        ...[
          { name: 'a claim', text: claim },
          { name: 'the collector’s key', text: collector },
        ],
      ]
      t.true(canaries.every(({ text }) => text.length > 15))
      t.deepEqual(leaksIn(said, canaries), [])
      // An address is shown to who may see endpoints, and kept for being told.
      const withAddress = leaksIn(said, [{ name: 'the key', text: inAddress }])
      t.deepEqual(withAddress.filter((place) => !/webhook_endpoints|the file db/.test(place)), []) // prettier-ignore
      t.true(withAddress.length > 0)
    } finally {
      await moorage.end('SIGTERM')
    }
  })
})
