// Usage and costs over HTTP: JSON, CSV, one tenant, and what is refused.
import test from 'ava'
import { usageIn } from '../../src/store/usage.ts'
import { startTestApi, stored, tenantDocument } from './fixture.ts'

const hour = 3_600_000
const from = Date.UTC(2026, 9, 1)

async function withUsage(t: Parameters<typeof startTestApi>[0]) {
  const api = await startTestApi(t)
  await api.putJson('acme', tenantDocument('acme'))
  const { uid } = await stored(api.tenants, 'acme')
  const size = { at: from, cpuKind: 'shared', cpus: 1, memoryMb: 1024 }
  const changes = [
    { at: from - 40 * 24 * hour, rank: 0, state: 'started' as const },
    { at: from + 100 * hour, rank: 0, state: 'suspended' as const },
    { at: from + 40 * 24 * hour, rank: 0, state: 'started' as const },
  ]
  const last = changes[2] ?? t.fail()
  const firstAt = from - 40 * 24 * hour
  const known = {
    kind: 'machine',
    id: 'm1',
    uid,
    region: 'iad',
    firstAt,
    last,
    toldTo: last.at,
    updatedAt: last.at,
    size,
  } as const
  const volume = {
    kind: 'volume',
    id: 'v1',
    uid: 'gone',
    region: 'iad',
    firstAt,
    last: { at: firstAt, sizeGb: 2 },
  } as const
  await usageIn(api.store.db).append([
    { known, changes, size },
    { known: volume, changes: [volume.last] },
  ])
  return { ...api, uid }
}

test('a month of the fleet: each tenant, what belongs to none, the total', async (t) => {
  const api = await withUsage(t)
  const answer = await api.call('/v1/costs?month=2026-10')
  const [status, body] = [answer.status, answer.json()]
  t.is(status, 200)
  const rest = 31 * 24 - 100
  t.like(body, { month: '2026-10', complete: true, currency: 'USD', total: { volumeGbHours: 2 * 31 * 24 } })
  const items = body['items'] as { tenant: string; uid: string; seconds: object; saved: number }[]
  t.deepEqual(
    items.map((item) => [item.tenant, item.uid, item.seconds]),
    [
      ['', 'gone', {}],
      ['acme', api.uid, { started: 100 * 3_600, suspended: rest * 3_600 }],
    ],
  )
  t.true((items[1]?.saved ?? 0) > 0)
  const november = await api.call('/v1/tenants/acme/usage?month=2026-09')
  t.like(november.json(), { tenant: 'acme', uid: api.uid, seconds: { started: 30 * 24 * 3_600 } })
})

test('the same as CSV, by the header or by the query', async (t) => {
  const api = await withUsage(t)
  const byQuery = await api.call('/v1/costs?month=2026-10&output=csv')
  const byHeader = await api.call('/v1/costs?month=2026-10', { headers: { accept: 'text/csv' } })
  t.is(byQuery.text, byHeader.text)
  t.is(byQuery.headers['content-type'], 'text/csv; charset=utf-8')
  const rows = byQuery.text.trimEnd().split('\r\n')
  t.is(rows.length, 4)
  t.regex(rows[2] ?? '', /^acme,[^,]+,360000,2318400,0,0,0,0\.\d{6},/)
  t.regex(rows[3] ?? '', /^total,,360000,/)
})

test('what is not a month, and who is no tenant', async (t) => {
  const api = await withUsage(t)
  for (const month of ['2026-13', '2026-1', 'now', '2026-10-01'])
    t.is((await api.call(`/v1/costs?month=${month}`)).status, 400)
  t.is((await api.call('/v1/tenants/nobody/usage')).status, 404)
  t.is((await api.call('/v1/costs?moth=2026-10')).status, 400)
})
