// The API against requests made from its own description. `FUZZ_COUNT` and `FUZZ_SEED` ask for more, and for others.
import test from 'ava'
import { diffOf } from '../../reconciler/diff.ts'
import type { Insight } from '../../src/insight.ts'
import { revokedIn } from '../../src/store/revoked.ts'
import { orphansIn } from '../../src/store/orphans.ts'
import { startTestApi, tenantDocument, token, type ApiUnderTest } from '../api/fixture.ts'
import { emptyWorld } from '../helpers/model.ts'
import { newImage, rolloutWith } from '../helpers/rollouts.ts'
import { standard } from '../helpers/tenants.ts'
import { inputFor } from '../helpers/worlds.ts'
import { fuzz } from './run.ts'
import type { Sender } from './requests.ts'

const count = Number(process.env['FUZZ_COUNT'] ?? 500)
const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_125)

const billingSecret = `whsec_${Buffer.alloc(32, 5).toString('base64')}`

/** A look at an empty Fly, so that plans and dry runs have answers. */
const insight: Insight = {
  look: async (tenant) => inputFor(tenant, emptyWorld(), Date.now()),
  diff: async (tenant) => diffOf(inputFor(tenant, emptyWorld(), Date.now()), []),
}

async function tokensOf(api: ApiUnderTest): Promise<Readonly<Record<Sender, string>>> {
  const make = async (wish: object) => {
    const headers = { 'content-type': 'application/json' }
    return String(
      (await api.call('/v1/tokens', { method: 'POST', headers, body: JSON.stringify(wish) })).json()['secret'],
    )
  }
  return {
    admin: token,
    billing: await make({ name: 'billing', role: 'billing' }),
    viewer: await make({ name: 'viewer', role: 'viewer' }),
    limited: await make({ name: 'limited', role: 'admin', labelSelector: 'plan=pro' }),
  }
}

const pool = { region: 'iad', class: 'standard', min: 1, max: 2 }
const ids = { orphans: 'm-stray', rollouts: 'r1' }

/** Something of most kinds, so that not everything asked for is missing. */
async function furnish(api: ApiUnderTest): Promise<void> {
  const put = (path: string, document: object) =>
    api.call(path, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify(document) })
  await put('/v1/pools/acme', { kind: 'Pool', name: 'acme', spec: pool })
  await put('/v1/classes/acme', { kind: 'Class', name: 'acme', spec: { ...standard, image: newImage } })
  for (const name of ['beta', 'gamma']) await api.putJson(name, tenantDocument(name))
  await api.putJson('acme', tenantDocument('acme', {}, { plan: 'pro' }))
  const stray = { id: ids.orphans, kind: 'machine', name: 'stray', uid: 'u', region: 'iad', cause: 'noTenant' } as const
  const seen = { firstSeen: 0, lastSeen: 0, state: 'quarantined', reason: 'Quarantined', message: 'It waits.' } as const
  await orphansIn(api.db).add([{ ...stray, ...seen, attempts: 0, quarantinedAt: 0, revision: 1 }])
  await api.stores.rollouts.begin(rolloutWith({ id: ids.rollouts, state: 'halted' }))
}

test(`${count} requests from the description: no failure, no hang, and a refusal changes nothing`, async (t) => {
  t.timeout(3_600_000)
  let revoked: (since: number) => Promise<readonly string[]> = async () => []
  const api = await startTestApi(t, ({ money }) => ({
    insight,
    revoked: async (since) => revoked(since),
    money: { ...money, billing: { ...money.billing, secrets: [billingSecret] } },
  }))
  revoked = revokedIn(api.db)
  await furnish(api)
  const target = { url: api.url, db: api.db, tokens: await tokensOf(api), billingSecret, ids }
  const { requests, byStatus, defects } = await fuzz(target, count, seed)
  t.log(`seed ${seed}: ${JSON.stringify(byStatus)}`)
  t.is(requests, count)
  t.deepEqual(defects, [])
  t.true((byStatus['200'] ?? 0) > count / 20, 'hardly any request was good')
})
