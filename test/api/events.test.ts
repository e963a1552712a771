// Events and timelines over REST: what people and the controller did, newest first, in pages, filtered.
import test from 'ava'
import { Recorder } from '../../src/events/recorder.ts'
import { notedTenants } from '../../src/events/noted.ts'
import type { TenantEvent } from '../../src/events/event.ts'
import { ask } from '../helpers/client.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'
import { startTestApi, stored, tenantDocument, type ApiUnderTest } from './fixture.ts'
import { tokensOf } from './role-tokens.ts'
import type { ExecutionContext } from 'ava'

interface WithEvents extends ApiUnderTest {
  readonly clock: VirtualClock
  note(event: Partial<TenantEvent> & Pick<TenantEvent, 'uid'>): void
  /** Everything noted is in the store afterwards. */
  written(): Promise<void>
}

/** The API with a recorder, as main.ts composes them. */
async function startWithEvents(t: ExecutionContext): Promise<WithEvents> {
  const clock = new VirtualClock()
  const found: { recorder?: Recorder } = {}
  const api = await startTestApi(t, ({ tenants, events, log }) => {
    const recorder = new Recorder({ clock, log, write: (batch) => events.write(batch) })
    found.recorder = recorder
    return { tenants: notedTenants(tenants, { clock, note: (event) => recorder.note(event) }), clock }
  })
  const { recorder } = found
  if (recorder === undefined) throw new Error('there is no recorder')
  return {
    ...api,
    clock,
    note: (event) => {
      const usual = {
        at: clock.now(),
        tenant: 'acme',
        kind: 'wait',
        reason: 'MachineBusy',
        message: 'starting',
      } as const
      recorder.note({ ...usual, ...event })
    },
    written: () => recorder.close(),
  }
}

interface Listed {
  readonly items: Record<string, unknown>[]
  readonly nextCursor?: string
}
const listed = async (api: ApiUnderTest, path: string) => (await api.call(path)).json() as unknown as Listed

test('what people do is told: who, what, which fields, and never a value', async (t) => {
  const api = await startWithEvents(t)
  await api.putJson('acme', tenantDocument('acme'))
  await api.putJson('acme', tenantDocument('acme', { config: { llm: { key: 'canary-key' } } }, { plan: 'pro' }))
  await api.putJson('acme', tenantDocument('acme', { config: { llm: { key: 'canary-key' } } }, { plan: 'pro' }))
  const headers = { 'content-type': 'application/json' }
  const body = '{"state":"suspended","reason":"invoice past due"}'
  await api.call('/v1/tenants/acme/entitlement', { method: 'PUT', body, headers })
  const { billing } = await tokensOf(api)
  const asBilling = { ...headers, authorization: `Bearer ${billing}` }
  await ask(`${api.url}/v1/tenants/acme/entitlement`, { method: 'PUT', body: '{"state":"active"}', headers: asBilling })
  await api.call('/v1/tenants/acme/actions/retry', { method: 'POST' })
  await api.call('/v1/tenants/acme', { method: 'DELETE' })
  await api.call('/v1/tenants/acme/actions/undelete', { method: 'POST' })
  await api.written()
  const { items } = await listed(api, '/v1/tenants/acme/events')
  t.deepEqual(
    items.map(({ who, reason, message }) => [who, reason, message].join(' / ')).sort(),
    [
      'admin / Created / The admin created the tenant.',
      'admin / SpecChanged / The admin changed spec.config, labels.',
      "admin / EntitlementChanged / The admin says suspended in billing's place (invoice past due).",
      'billing / EntitlementChanged / Billing says active.',
      'admin / RetryRequested / The admin asked to try again at once.',
      'admin / Deleted / The admin asked for the deletion of the tenant.',
      'admin / Undeleted / The admin took the deletion back.',
    ].sort(),
  )
  t.notRegex(JSON.stringify(items), /canary-key/)
})

test('a refused write and a dry run leave no event', async (t) => {
  const api = await startWithEvents(t)
  await api.putJson('acme', tenantDocument('acme', { class: 'none' }))
  await api.call('/v1/tenants/acme?dryRun=server', { method: 'DELETE' })
  await api.written()
  t.deepEqual(await listed(api, '/v1/events'), { items: [] })
})

test('pages of all events and of one tenant’s, and what filters take', async (t) => {
  const api = await startWithEvents(t)
  for (const name of ['acme', 'globex']) await api.putJson(name, tenantDocument(name))
  const { uid } = await stored(api.tenants, 'acme')
  for (let index = 0; index < 7; index += 1) {
    api.note({ uid, kind: 'failed', reason: 'RegionFull', step: 'createVolume', message: `try ${index}` })
    await api.clock.advance(10)
  }
  api.note({ uid: 'elsewhere', tenant: 'globex' })
  await api.written()
  const seen: unknown[] = []
  let query = '?limit=3&tenant=acme&kind=failed'
  for (let page = 0; page < 5 && query !== ''; page += 1) {
    const { items, nextCursor } = await listed(api, `/v1/events${query}`)
    seen.push(...items.map(({ message }) => message))
    query = nextCursor === undefined ? '' : `?limit=3&tenant=acme&kind=failed&cursor=${nextCursor}`
  }
  t.deepEqual(seen, ['try 6', 'try 5', 'try 4', 'try 3', 'try 2', 'try 1', 'try 0'])
  t.is((await listed(api, '/v1/tenants/acme/events')).items.length, 8)
  t.is((await listed(api, '/v1/events?reason=MachineBusy')).items.length, 1)
  t.is((await listed(api, '/v1/events?tenant=globex')).items.length, 2)
  const wrong = [
    'limit=0',
    'cursor=x',
    'cursor=MS4u',
    'kind=step',
    'reason=x',
    'tenant=A',
    'foo=1',
    'kind=wait&kind=wait',
  ]
  for (const query of wrong) t.is((await api.call(`/v1/events?${query}`)).status, 400, query)
  t.is((await api.call('/v1/tenants/acme/events?tenant=acme')).status, 400)
  for (const path of ['events', 'timeline']) t.is((await api.call(`/v1/tenants/nobody/${path}`)).status, 404)
})

test('the timeline: steps with their beginnings and ends, waits in one row, newest last', async (t) => {
  const api = await startWithEvents(t)
  await api.putJson('acme', tenantDocument('acme'))
  const { uid } = await stored(api.tenants, 'acme')
  const { clock } = api
  const begun = clock.now()
  const after = async (ms: number, event: Partial<TenantEvent>) => {
    await clock.advance(ms)
    api.note({ uid, ...event })
  }
  const full = { kind: 'failed', reason: 'RegionFull', step: 'createVolume', message: 'iad is full' } as const
  await after(2_000, { ...full, tookMs: 1_000 })
  await after(30_000, { ...full, tookMs: 1_000 })
  await after(30_000, {
    kind: 'done',
    reason: 'Done',
    step: 'createVolume',
    message: 'creating the volume',
    tookMs: 3_000,
  })
  await after(1_000, { kind: 'wait', reason: 'MachineBusy' })
  await after(9_000, { kind: 'wait', reason: 'GuestStarting', message: 'The gateway is starting.' })
  await after(5_000, { kind: 'settled', reason: 'Settled', message: 'as wanted' })
  await api.written()
  const { items } = await listed(api, '/v1/tenants/acme/timeline')
  const at = (text: unknown) => (typeof text === 'string' ? Date.parse(text) - begun : null)
  t.deepEqual(
    items.map(({ what, outcome, start, end, tookMs, count }) => [what, outcome, at(start), at(end), tookMs, count]),
    [
      ['Created', 'changed', 0, 0, 0, 1],
      ['createVolume', 'failed', 1_000, 32_000, 31_000, 2],
      ['createVolume', 'done', 59_000, 62_000, 3_000, 1],
      ['wait', 'waited', 63_000, 77_000, 14_000, 2],
      ['Settled', 'as wanted', 77_000, null, undefined, 1],
    ],
  )
  t.deepEqual(items[3]?.['reasons'], ['MachineBusy', 'GuestStarting'])
})
