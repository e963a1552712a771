// Claims over REST: they pass the same guards as every creation, the label limit of a token and the audit.
import test, { type ExecutionContext } from 'ava'
import { newMember } from '../../reconciler/pool/member.ts'
import { newUid } from '../../specs/names.ts'
import { poolDocument } from '../../specs/pool.ts'
import { realClock } from '../../src/clock.ts'
import { membersIn } from '../../src/store/members.ts'
import type { Asked } from '../helpers/client.ts'
import { startTestApi, stored, tenantDocument, type ApiUnderTest } from './fixture.ts'

const region = 'iad'
const json = { 'content-type': 'application/json' }

/** An API with one machine that stands ready. */
async function withMember(t: ExecutionContext): Promise<{ api: ApiUnderTest; uid: string }> {
  const api = await startTestApi(t)
  const spec = { region, class: 'standard', min: 1, max: 1 }
  const document = poolDocument.parse({ kind: 'Pool', name: 'warm', spec })
  const pool = { ...document, uid: 'p', generation: 1, revision: 1, createdAt: 0 }
  const uid = newUid((length) => realClock.bytes(length))
  const member = newMember(pool, uid, realClock.now())
  const image = (await api.stores.classes.all()).find(({ name }) => name === 'standard')?.stable ?? ''
  const machine = { id: 'm1', state: 'started', region, incarnation: 1 }
  await api.tenants.add({ ...member, status: { ...member.status, machine, warm: { since: 1, image } } })
  return { api, uid }
}

async function tokenFor(api: ApiUnderTest, more: object): Promise<string> {
  const body = JSON.stringify({ name: 'ci', role: 'admin', ...more })
  return String((await api.call('/v1/tokens', { method: 'POST', headers: json, body })).json()['secret'])
}

function create(api: ApiUnderTest, name: string, labels: object, token?: string) {
  const body = JSON.stringify(tenantDocument(name, { region }, labels))
  const headers = { ...json, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) }
  const asked: Asked = { method: 'PUT', body, headers }
  return api.call(`/v1/tenants/${name}`, asked)
}

const entriesOf = async (api: ApiUnderTest, object: string) => {
  const { items } = (await api.call('/v1/audit')).json() as { items: Record<string, unknown>[] }
  return items.filter((item) => JSON.stringify(item).includes(`"${object}"`))
}

test('a claim is in the audit as the creation that it is, with its caller and the member’s uid', async (t) => {
  const { api, uid } = await withMember(t)
  const token = await tokenFor(api, {})
  t.is((await create(api, 'acme', { plan: 'pro' }, token)).status, 201)
  const tenant = await stored(api.tenants, 'acme')
  t.is(tenant.uid, uid)
  t.is(tenant.claim?.pool, 'warm')
  const [done, ...others] = await entriesOf(api, 'tenants/acme')
  t.deepEqual(
    others.map(({ outcome }) => outcome),
    ['intended'],
  )
  const text = JSON.stringify(done)
  for (const part of ['putTenant', uid, '"ci"', '"pro"']) t.true(text.includes(part), `${part} in ${text}`)
})

test('a limited token claims within its labels, and beyond them nothing is claimed', async (t) => {
  const { api, uid } = await withMember(t)
  const token = await tokenFor(api, { labelSelector: 'plan=pro' })
  const refused = await create(api, 'globex', { plan: 'free' }, token)
  t.is(refused.status, 403, refused.text)
  t.is(await api.tenants.byName('globex'), undefined)
  const [member] = await membersIn(api.db).all()
  t.is(member?.uid, uid)
  const outcomes = (await entriesOf(api, 'tenants/globex')).map(({ outcome, changes }) => [outcome, changes])
  t.deepEqual(outcomes, [
    ['refused', []],
    ['intended', []],
  ])

  t.is((await create(api, 'acme', { plan: 'pro' }, token)).status, 201)
  t.is((await stored(api.tenants, 'acme')).uid, uid)
})

test('a name that another’s tenant has claims nothing either', async (t) => {
  const { api, uid } = await withMember(t)
  await api.putJson('acme', tenantDocument('acme', { region: 'ams' }, { plan: 'free' }))
  const token = await tokenFor(api, { labelSelector: 'plan=pro' })
  const refused = await create(api, 'acme', { plan: 'pro' }, token)
  t.is(refused.status, 409, refused.text)
  t.deepEqual((await membersIn(api.db).all()).map((member) => member.uid), [uid]) // prettier-ignore
})
