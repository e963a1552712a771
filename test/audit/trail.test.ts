// The trail: an entry before the change and one after it; what a crash leaves; what is told of a change, and what is not.
import test from 'ava'
import { diffOf } from '../../src/audit/diff.ts'
import type { AuditChange } from '../../src/audit/entry.ts'
import { auditTrail } from '../../src/audit/trail.ts'
import { realClock } from '../../src/clock.ts'
import { checked, openAudit, quiet, subject } from './fixture.ts'

const change: AuditChange = {
  ...{ object: 'tenants/acme', uid: 'u1', generation: { from: 1, to: 2 } },
  fields: [{ path: 'spec.region', from: 'iad', to: 'ams' }],
}

test('a change stands between its announcement and its outcome', async (t) => {
  const { store } = await openAudit(t)
  const trail = auditTrail({ store, clock: realClock, log: quiet })
  const all = () => store.page({ order: 'oldest', limit: 10 })
  await trail.attempt(subject(), async () => {
    t.like(await all(), [{ seq: 1, outcome: 'intended', object: 'tenants/acme', changes: [] }])
    trail.note(change)
    return { outcome: 'done', status: 200 }
  })
  const [, done] = await all()
  t.like(done, { seq: 2, outcome: 'done', intent: 1, status: 200, reason: 'ticket 7', changes: [change] })
  t.deepEqual(done?.caller, { id: 'token:ann', name: 'ann', role: 'admin', address: '127.0.0.1' })
  t.deepEqual((await checked(store)).open, [])
})

test('what cannot be announced is not done', async (t) => {
  const { store } = await openAudit(t)
  const insert = () => Promise.reject(new Error('the store is away'))
  const trail = auditTrail({ store: { ...store, insert }, clock: realClock, log: quiet })
  let done = false
  const act = async () => {
    done = true
    return { outcome: 'done', status: 200 } as const
  }
  await t.throwsAsync(trail.attempt(subject(), act), { message: 'the store is away' })
  t.false(done)
})

test('a crash after the change leaves the announcement, and the check names it', async (t) => {
  const { store } = await openAudit(t)
  const errors: object[] = []
  let away = false
  const insert: typeof store.insert = (entries) => (away ? Promise.reject(new Error('away')) : store.insert(entries))
  const log = { ...quiet, error: (fields: object) => void errors.push(fields) }
  const trail = auditTrail({ store: { ...store, insert }, clock: realClock, log })
  await trail.attempt(subject(), async () => {
    trail.note(change)
    away = true
    return { outcome: 'done', status: 200 }
  })
  t.like(errors, [{ intent: 1, outcome: 'done' }])
  t.like(await checked(store), { entries: 1, fault: undefined, open: [1] })
})

test('changes of attempts at the same time are not mixed up', async (t) => {
  const { store } = await openAudit(t)
  const trail = auditTrail({ store, clock: realClock, log: quiet })
  const names = Array.from({ length: 20 }, (_, index) => `t${index}`)
  await Promise.all(
    names.map((name) =>
      trail.attempt(subject(name), async () => {
        await new Promise((resolve) => setImmediate(resolve))
        trail.note({ object: `tenants/${name}`, fields: [] })
        return { outcome: 'done', status: 200 }
      }),
    ),
  )
  trail.note(change)
  for (const entry of await store.page({ outcome: 'done', order: 'oldest', limit: 100 }))
    t.deepEqual(entry.changes, [{ object: entry.object, fields: [] }])
})

test('the audit is found by who, what, outcome and time, in pages', async (t) => {
  const { store } = await openAudit(t)
  const trail = auditTrail({ store, clock: realClock, log: quiet })
  const done = async () => ({ outcome: 'done', status: 200 }) as const
  await trail.attempt(subject('acme', 'token:ann'), done)
  await trail.attempt(subject('hooli', 'token:bob'), async () => {
    trail.note({ object: 'tenants/acme', fields: [] })
    return { outcome: 'done', status: 200 }
  })
  await trail.refuse(subject('acme', 'token:eve'), { outcome: 'refused', status: 403, code: 'forbidden' })
  const numbers = async (query: Partial<Parameters<typeof store.page>[0]>) =>
    (await store.page({ order: 'oldest', limit: 10, ...query })).map(({ seq }) => seq)
  t.deepEqual(await numbers({}), [1, 2, 3, 4, 5])
  t.deepEqual(await numbers({ caller: 'token:bob' }), [3, 4])
  t.deepEqual(await numbers({ object: 'tenants/acme' }), [1, 2, 4, 5])
  t.deepEqual(await numbers({ outcome: 'refused' }), [5])
  t.deepEqual(await numbers({ order: 'newest', after: 4, limit: 2 }), [3, 2])
  t.deepEqual(await numbers({ after: 4 }), [5])
  t.deepEqual(await numbers({ since: '2000-01-01T00:00:00.000Z', until: '2001-01-01T00:00:00.000Z' }), [])
})

test('a diff names each field that differs, and never what may be a secret', (t) => {
  const before = {
    labels: { plan: 'pro', 'example.com/$x': '1' },
    spec: { guest: { cpus: 1 }, domains: ['a.test'], config: { key: 'canary' } },
  }
  const after = {
    labels: { plan: 'team' },
    spec: { guest: { cpus: 2 }, domains: ['a.test', 'b.test'], config: { key: 'canary-2' }, paused: true },
  }
  t.deepEqual(diffOf(before, after), [
    { path: 'labels.example.com/$x', from: '1' },
    { path: 'labels.plan', from: 'pro', to: 'team' },
    { path: 'spec.config', changed: true },
    { path: 'spec.domains', from: ['a.test'], to: ['a.test', 'b.test'] },
    { path: 'spec.guest.cpus', from: 1, to: 2 },
    { path: 'spec.paused', to: true },
  ])
  t.deepEqual(diffOf(before, structuredClone(before)), [])
  t.deepEqual(diffOf(undefined, { spec: { config: { a: 'canary' } } }), [{ path: 'spec.config', changed: true }])
  t.notRegex(JSON.stringify(diffOf(undefined, before)), /canary/)
  const [long] = diffOf({ a: 'x' }, { a: 'y'.repeat(1_000) })
  t.regex(String(long?.to), /^sha256:[0-9a-f]{16} \(1000 characters\)$/)
  const many = Object.fromEntries(Array.from({ length: 150 }, (_, index) => [`k${index}`, index]))
  t.deepEqual(diffOf({}, many).at(-1), { path: '50 more fields', changed: true })
})
