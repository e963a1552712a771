// The route table: what a host leads to, in which order, and what ends with a change; and what that resolves to.
import test from 'ava'
import { resolve } from '../../proxy/resolve.ts'
import { RouteTable } from '../../proxy/table.ts'
import type { ForwardRoute, Route, TenantRoute } from '../../specs/route.ts'

const forward: ForwardRoute = { kind: 'forward', machine: 'm1', incarnation: 1, address: 'fdaa::3', port: 18_789 }

function tenant(uid: string, more: Partial<TenantRoute> = {}): TenantRoute {
  return { uid, name: uid, hosts: [`${uid}.localhost`], revision: 1, route: forward, ...more }
}

/** A table, and what it said happened. */
function watched(...tenants: TenantRoute[]) {
  const events: string[] = []
  const table = new RouteTable({
    opened: ({ uid, machine }) => events.push(`opened ${uid} ${machine}`),
    retired: ({ uid, machine }) => events.push(`retired ${uid} ${machine}`),
    contested: (host, holder, claimant) => events.push(`${claimant} wants ${holder}'s ${host}`),
    changed: () => undefined,
  })
  table.reset(tenants)
  return { table, events, uidAt: (host: string) => table.lookup(host)?.tenant.uid }
}

test('hosts lead to their tenant, others nowhere', (t) => {
  const { uidAt } = watched(tenant('a', { hosts: ['a.localhost', 'a.example'] }), tenant('b'))
  t.is(uidAt('a.localhost'), 'a')
  t.is(uidAt('a.example'), 'a')
  t.is(uidAt('b.localhost'), 'b')
  for (const other of ['c.localhost', 'localhost', '', '__proto__', 'constructor']) t.is(uidAt(other), undefined)
})

test('an older or equal revision changes nothing', (t) => {
  const { table, uidAt } = watched(tenant('a', { revision: 5 }))
  table.put(tenant('a', { revision: 4, hosts: ['old.localhost'] }))
  table.put(tenant('a', { revision: 5, hosts: ['same.localhost'] }))
  t.is(uidAt('old.localhost'), undefined)
  t.is(uidAt('same.localhost'), undefined)
  table.put(tenant('a', { revision: 6, hosts: ['new.localhost'] }))
  t.is(uidAt('new.localhost'), 'a')
  t.is(uidAt('a.localhost'), undefined, 'a host that is not named any more is given up')
})

test('of two claims on a host the first holds, and the second comes after it', (t) => {
  const { table, events, uidAt } = watched(tenant('z', { hosts: ['shop.example'] }))
  table.put(tenant('a', { hosts: ['shop.example', 'a.localhost'] }))
  table.put(tenant('a', { hosts: ['shop.example', 'a.localhost'], revision: 2 }))
  t.is(uidAt('shop.example'), 'z')
  t.is(uidAt('a.localhost'), 'a')
  t.is(events.filter((event) => event.includes('wants')).length, 1, 'counted once')
  table.put(tenant('z', { hosts: [], revision: 2 }))
  t.is(uidAt('shop.example'), 'a')
  table.put(tenant('z', { hosts: ['shop.example'], revision: 3 }))
  t.is(uidAt('shop.example'), 'a', 'who gave it up is last in line')
})

test('a reset keeps who came first, drops who is not named, and takes no older revision', (t) => {
  const { table, events, uidAt } = watched(tenant('z', { hosts: ['shop.example'], revision: 3 }), tenant('gone'))
  table.reset([tenant('a', { hosts: ['shop.example'] }), tenant('z', { hosts: ['old.example'], revision: 2 })])
  t.is(uidAt('shop.example'), 'z')
  t.is(uidAt('old.example'), undefined)
  t.is(uidAt('gone.localhost'), undefined)
  t.true(events.includes('retired gone m1'))
})

test('a dropped tenant does not come back by a late put, only by a reset', (t) => {
  const { table, uidAt } = watched(tenant('a'))
  table.drop('a')
  table.drop('never-known')
  table.put(tenant('a', { revision: 9 }))
  t.is(uidAt('a.localhost'), undefined)
  table.reset([tenant('a', { revision: 9 })])
  t.is(uidAt('a.localhost'), 'a')
})

test('a tenant that a rebuilt database has again comes back, whatever its revision', (t) => {
  const { table, uidAt } = watched(tenant('a', { revision: 9 }))
  table.drop('a')
  table.revive('a')
  table.put(tenant('a', { revision: 1 }))
  t.is(uidAt('a.localhost'), 'a')
})

test('a target is retired exactly when anything of it changes, and before the new one opens', (t) => {
  const { table, events } = watched(tenant('a'))
  let revision = 2
  const put = (route: Route, hosts = ['a.localhost']) => {
    events.length = 0
    table.put(tenant('a', { revision: revision++, route, hosts }))
    return [...events]
  }
  t.deepEqual(put(forward, ['a.localhost', 'b.localhost']), [], 'hosts are no part of the target')
  for (const change of [{ machine: 'm2' }, { incarnation: 2 }, { address: 'fdaa::4' }, { port: 1 }]) {
    t.is(put({ ...forward, ...change }).length, 2, JSON.stringify(change))
    const [first, second] = put(forward)
    t.regex(String(first), /^retired/)
    t.regex(String(second), /^opened/)
  }
  t.deepEqual(put({ kind: 'closed', reason: 'suspended' }), ['retired a m1'])
  t.deepEqual(put({ kind: 'closed', reason: 'billing' }), [])
  t.deepEqual(put(forward), ['opened a m1'])
})

test('the same machine under two tenants is two targets', (t) => {
  const { table } = watched(tenant('a'), tenant('b'))
  t.not(table.lookup('a.localhost')?.target?.key, table.lookup('b.localhost')?.target?.key)
})

test('a route resolves to its target or to its page', (t) => {
  const closed = (reason: 'provisioning' | 'suspended' | 'billing' | 'deleting' | 'failed') =>
    tenant(reason, { route: { kind: 'closed', reason } })
  const reasons = ['provisioning', 'suspended', 'billing', 'deleting', 'failed'] as const
  const { table } = watched(tenant('a'), ...reasons.map(closed))
  const at = (host: string) => resolve(host, (name) => table.lookup(name), 7)
  t.like(at('a.localhost'), { kind: 'forward', target: { uid: 'a', address: 'fdaa::3' } })
  t.like(at('provisioning.localhost'), { kind: 'page', status: 503, retryAfter: 7 })
  t.like(at('suspended.localhost'), { kind: 'page', status: 503, retryAfter: undefined })
  t.like(at('billing.localhost'), { kind: 'page', status: 402, retryAfter: undefined })
  t.like(at('deleting.localhost'), { kind: 'page', status: 410, retryAfter: undefined })
  t.like(at('failed.localhost'), { kind: 'page', status: 503, retryAfter: 30 })
  t.like(at('nobody.localhost'), { kind: 'page', status: 404, reason: 'unknown', retryAfter: undefined })
})
