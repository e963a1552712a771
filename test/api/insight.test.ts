// What an operator can ask about a tenant: what would be done, what a change would do, why it is as it is.
import test from 'ava'
import type { Insight } from '../../src/insight.ts'
import { diffOf } from '../../reconciler/diff.ts'
import { plan } from '../../reconciler/plan.ts'
import { statusFailed, statusSeen } from '../../reconciler/status.ts'
import { Fault } from '../../specs/faults.ts'
import { emptyWorld, modelMachine, modelVolume, type ModelWorld } from '../helpers/model.ts'
import { freshStatus, stampOf } from '../helpers/tenants.ts'
import { inputFor } from '../helpers/worlds.ts'
import { startTestApi, stored, tenantDocument, type ApiUnderTest } from './fixture.ts'

/** A look at a world that the test sets. */
function over(place: { world: ModelWorld }): Insight {
  return {
    look: async (tenant) => inputFor(tenant, place.world, Date.now()),
    diff: async (tenant) => diffOf(inputFor(tenant, place.world, Date.now()), []),
  }
}

const running = () =>
  emptyWorld({
    ...{ app: 'present', volumes: [modelVolume({})], machines: [modelMachine({})] },
    ...{ certificates: { '*.localhost': 'issued' }, guest: { kind: 'ready', boot: 'b' } },
  })

/** The tenant as the controller leaves it in this world. */
async function settled(api: ApiUnderTest, name: string, world: ModelWorld): Promise<void> {
  const tenant = await stored(api.tenants, name)
  const before = {
    ...{ ...freshStatus, volume: { id: 'vol_1', incarnation: 1 }, preparedBoot: 'b' },
    machine: { id: 'm1', state: 'started', region: 'iad', incarnation: 1 },
  }
  const input = inputFor({ ...tenant, status: before }, world, Date.now())
  await api.tenants.saveStatus(tenant, statusSeen(input, plan(input)))
}

test('the plan of a new tenant: each step with its target, its why and about how long it takes', async (t) => {
  const place = { world: emptyWorld() }
  const api = await startTestApi(t, () => ({ insight: over(place) }))
  await api.putJson('acme', tenantDocument('acme'))
  const answer = (await api.call('/v1/tenants/acme/plan')).json() as { steps: { verb: string; why: string }[] }
  t.like(answer, { decision: { kind: 'act', step: 'createApp' }, ends: 'settled', destructive: false, waitsFor: null })
  t.deepEqual(
    answer.steps.map(({ verb }) => verb),
    ['createApp', 'createVolume', 'requestCertificate', 'createMachine', 'prepareMachine'],
  )
  t.true(answer.steps.every(({ why }) => why.endsWith('.')))
  t.is((await api.call('/v1/tenants/acme/plan?bogus=1')).status, 400)
})

test('a dry run says what would change and follow, and stores nothing', async (t) => {
  const place = { world: running() }
  const api = await startTestApi(t, () => ({ insight: over(place) }))
  const fresh = await api.call('/v1/tenants/new?dryRun=server', {
    ...{ method: 'PUT', body: JSON.stringify(tenantDocument('new')) },
    headers: { 'content-type': 'application/json' },
  })
  t.is(fresh.status, 200)
  t.like(fresh.json(), { dryRun: true, creates: true, destructive: false })
  t.is(await api.tenants.byName('new'), undefined)

  await api.putJson('acme', tenantDocument('acme'))
  await settled(api, 'acme', place.world)
  const before = await stored(api.tenants, 'acme')
  const suspended = JSON.stringify(tenantDocument('acme', { state: 'suspended' }))
  const headers = { 'content-type': 'application/json' }
  const byPut = await api.call('/v1/tenants/acme?dryRun=server', { method: 'PUT', body: suspended, headers })
  const byPost = await api.call('/v1/tenants/acme/plan', { method: 'POST', body: suspended, headers })
  t.like(byPut.json(), {
    ...{ creates: false, interrupts: true, destructive: false, ends: 'settled' },
    changes: [{ path: 'spec.state', from: 'running', to: 'suspended' }],
    steps: [
      { verb: 'prepareSleep', target: 'm1' },
      { verb: 'suspendMachine', target: 'm1', why: 'The admin has suspended the tenant.' },
    ],
  })
  t.deepEqual(Object.keys(byPost.json()), Object.keys(byPut.json()))
  t.deepEqual(byPost.json()['steps'], byPut.json()['steps'])

  const deleted = await api.call('/v1/tenants/acme?dryRun=server', { method: 'DELETE' })
  t.like(deleted.json(), { destructive: true, interrupts: true, ends: 'wait', waitsFor: { reason: 'Retained' } })
  t.deepEqual(await stored(api.tenants, 'acme'), before)
})

test('a dry run is refused for what the write would be refused for; a misspelt one is no write', async (t) => {
  const api = await startTestApi(t, () => ({ insight: over({ world: running() }) }))
  const created = await api.putJson('acme', tenantDocument('acme'))
  const put = (query: string, document: object, headers: Record<string, string> = {}) =>
    api.call(`/v1/tenants/acme${query}`, {
      ...{ method: 'PUT', body: JSON.stringify(document) },
      headers: { 'content-type': 'application/json', ...headers },
    })
  t.is((await put('?dryRun=server', tenantDocument('acme', { region: 'nowhere' }))).status, 400)
  t.is((await put('?dryRun=server', tenantDocument('acme', { class: 'none' }))).status, 400)
  t.is((await put('?dryRun=server', tenantDocument('other'))).status, 400)
  t.is((await put('?dryRun=server', tenantDocument('acme'), { 'if-match': '"x"' })).status, 412)
  for (const query of ['?dryrun=server', '?dryRun=client', '?dryRun=server&dryRun=server', '?dryRun'])
    t.is((await put(query, tenantDocument('acme', { state: 'suspended' }))).status, 400, query)
  t.is((await api.call('/v1/tenants/acme?dry=1', { method: 'DELETE' })).status, 400)
  t.is((await api.call('/v1/tenants/nobody?dryRun=server', { method: 'DELETE' })).status, 404)
  t.is((await api.call('/v1/tenants/acme')).headers.etag, created.headers.etag)
})

test('what stands in a tenant’s configuration is not repeated by a dry run', async (t) => {
  const api = await startTestApi(t, () => ({ insight: over({ world: running() }) }))
  const document = tenantDocument('acme', { config: { llm: { key: 'canary-key' } } })
  const body = JSON.stringify(document)
  const headers = { 'content-type': 'application/json' }
  const answer = await api.call('/v1/tenants/acme/plan', { method: 'POST', body, headers })
  t.is(answer.status, 200)
  t.notRegex(answer.text, /canary-key/)
  t.regex(answer.text, /"spec\.config"/)
})

test('why: from the record, from a fresh look, and as a text to print', async (t) => {
  const place = { world: running() }
  const api = await startTestApi(t, () => ({ insight: over(place) }))
  await api.putJson('acme', tenantDocument('acme'))
  t.like((await api.call('/v1/tenants/acme/why')).json(), {
    ...{ phase: 'Pending', wanted: 'Running', asWanted: false, waitsOn: 'leader-election', nextAttemptAt: null },
    blocking: { reason: 'NotSeen', subject: 'Accepted' },
  })
  await settled(api, 'acme', place.world)
  const fine = (await api.call('/v1/tenants/acme/why')).json()
  t.like(fine, { asWanted: true, phase: 'Running', blocking: null, actions: [] })
  t.regex(String(fine['summary']), /^acme is running as wanted since /)
  // Something happens that no pass has seen yet: only a fresh look knows.
  place.world = { ...place.world, machines: [modelMachine({ state: 'stopped' })] }
  t.true((await api.call('/v1/tenants/acme/why')).json()['asWanted'])
  const fresh = (await api.call('/v1/tenants/acme/why?fresh=true')).json()
  t.like(fresh, { asWanted: false, phase: 'Starting', blocking: { kind: 'act', subject: 'MachineReady' } })
  t.regex(String(fresh['summary']), /Now starting the machine\. .*\d steps are left, which usually take \d+ s\.$/)
  const text = await api.call('/v1/tenants/acme/why', { headers: { accept: 'text/plain' } })
  t.is(text.headers['content-type'], 'text/plain; charset=utf-8')
  // The first line counts the seconds.
  const below = (whole: string) => whole.trimEnd().split('\n').slice(1)
  t.deepEqual(below(text.text), below(String(fine['text'])))
  for (const wrong of ['?fresh=maybe', '?x=1']) t.is((await api.call(`/v1/tenants/acme/why${wrong}`)).status, 400)
  t.is((await api.call('/v1/tenants/nobody/why')).status, 404)
})

test('why needs neither Fly nor the reconciler; what fails there says why with the same words', async (t) => {
  const fault = new Fault('regionFull', 'Fly answered 422 to volumeCreate: no room', { call: 'volumeCreate' })
  const away = () => Promise.reject(new Fault('unavailable', 'Fly did not answer.', { call: 'machineGet' }))
  const api = await startTestApi(t, () => ({ insight: { look: away, diff: away } }))
  await api.putJson('acme', tenantDocument('acme'))
  const tenant = await stored(api.tenants, 'acme')
  const status = statusFailed(tenant, 'createVolume', fault, { now: Date.now(), random: 1 })
  await api.tenants.saveStatus(tenant, { ...status, observedGeneration: 1 })
  const told = (await api.call('/v1/tenants/acme/why')).json()
  t.like(told, { waitsOn: 'capacity', attempts: 1, blocking: { reason: 'RegionFull' } })
  for (const path of ['plan', 'diff', 'why?fresh=true']) {
    const answer = await api.call(`/v1/tenants/acme/${path}`)
    t.is(answer.status, 503, path)
    t.regex(String(answer.json()['why']), /^acme is Provisioning, not Running: Fly has no room in the region now\./)
  }
})

test('the diff names each owned field that differs, and what kind of difference it is', async (t) => {
  const machines = [modelMachine({ specHash: 'old', metadata: stampOf('old'), region: 'ams' })]
  const place = { world: { ...running(), machines, volumes: [modelVolume({ sizeGb: 0 })] } }
  const api = await startTestApi(t, () => ({ insight: over(place) }))
  await api.putJson('acme', tenantDocument('acme'))
  await settled(api, 'acme', place.world)
  const answer = (await api.call('/v1/tenants/acme/diff')).json() as { drift: string; rows: Record<string, unknown>[] }
  t.is(answer.drift, 'restart')
  t.deepEqual(
    answer.rows.filter(({ same }) => same === false).map(({ part, field, driftClass }) => [part, field, driftClass]),
    [
      ['machine', 'region', 'immutable'],
      ['machine', 'metadata.moorage_spec_hash', 'metadata'],
      ['volume', 'size_gb', 'grow'],
    ],
  )
})
