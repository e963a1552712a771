// What is told of: tenants, and never the members of pools, which are nobody's until they are claimed.
import test, { type ExecutionContext } from 'ava'
import { newMember } from '../../reconciler/pool/member.ts'
import type { Condition } from '../../specs/conditions.ts'
import type { Tenant } from '../../specs/tenant.ts'
import { realClock } from '../../src/clock.ts'
import { membersIn } from '../../src/store/members.ts'
import { tenantsIn, type Tenants } from '../../src/store/tenants.ts'
import { bodyOf } from '../../src/webhooks/events.ts'
import { catchUp, toldTenants } from '../../src/webhooks/told.ts'
import { tenantWith } from '../helpers/tenants.ts'
import { outbox } from './fixture.ts'

const condition = (type: Condition['type']): Condition => ({
  ...{ type, status: 'True', reason: 'Test', message: 'So it is.', observedGeneration: 1, lastTransitionTime: 0 },
})

async function followed(t: ExecutionContext) {
  const box = await outbox(t)
  await box.endpoint('https://billing.example/hook')
  const tenants = tenantsIn(box.db)
  const failed = (error: unknown) => t.fail(String(error))
  const options = { webhooks: box.webhooks, clock: realClock, wake: () => {}, failed }
  const told = toldTenants(tenants, options)
  const kinds = async () => (await box.webhooks.deliveries({ limit: 50 })).map(({ type }) => type).sort()
  return { ...box, tenants, told, kinds, compare: () => catchUp(tenants, options) }
}

async function present(tenants: Tenants, uid: string): Promise<Tenant> {
  const tenant = await tenants.get(uid)
  if (tenant === undefined) throw new Error(`${uid} is not there`)
  return tenant
}

test('a member of a pool that stalls or is purged is told to nobody; once it is claimed it is', async (t) => {
  const { db, tenants, told, kinds, compare } = await followed(t)
  const pool = { name: 'p', spec: { class: 'standard', region: 'iad', tier: 'running' } } as Parameters<
    typeof newMember
  >[0]
  for (const uid of ['goes', 'stays']) {
    t.is(await tenants.add(newMember(pool, uid, 0)), 'added')
    const member = await present(tenants, uid)
    await told.saveStatus(member, { ...member.status, conditions: [condition('Stalled')] })
  }
  t.true(await told.purge(await present(tenants, 'goes')))
  await compare()
  t.deepEqual(await kinds(), [])

  const member = await present(tenants, 'stays')
  const claimed = tenantWith({}, { uid: 'stays', claim: { at: 0, pool: 'p', tier: 'running', image: 'x' } })
  const acme = await membersIn(db).claim(member, {
    ...claimed,
    status: { ...member.status, effective: 'running', conditions: [] },
  })
  if (acme === undefined) return t.fail('it could not be claimed')
  await told.saveStatus(acme, { ...acme.status, conditions: [condition('Ready')] })
  await compare()
  t.deepEqual(await kinds(), ['tenant.running'])
})

test('the brake is told once for an hour’s words, whoever is parked, and again for the next', async (t) => {
  const { webhooks, tenants, told, compare } = await followed(t)
  const park = async (uid: string, since: number) => {
    const tenant = tenantWith({}, { uid, name: uid, parked: { entitlement: { state: 'suspended' }, since } })
    t.is(await tenants.add(tenant), 'added')
    const seen = await present(tenants, uid)
    const saved = await told.saveStatus(seen, { ...seen.status, observedGeneration: 1 })
    if (saved !== undefined) await told.saveStatus(saved, { ...saved.status, conditions: [condition('Ready')] })
  }
  const hour = 3_600_000
  for (const [uid, since] of [['acme', hour], ['globex', hour + 9], ['initech', 2 * hour]] as const) await park(uid, since) // prettier-ignore
  await compare()
  const found = (await webhooks.deliveries({ limit: 50 })).filter(({ type }) => type === 'fleet.braked')
  t.deepEqual(found.map(({ revision }) => revision).sort(), [1, 2])
  const first = found.find(({ revision }) => revision === 1)
  t.like(JSON.parse(first === undefined ? '' : bodyOf(first)), { type: 'fleet.braked', data: { revision: 1 } })
  t.notRegex(first === undefined ? '' : bodyOf(first), /"uid"|"tenant"/)
  // The fleet is no tenant that could be missed.
  await compare()
  t.true((await webhooks.deliveries({ limit: 50 })).every(({ type }) => type !== 'tenant.purged'))
})
