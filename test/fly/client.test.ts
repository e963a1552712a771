// Requests as they go out, and answers as they come in where the wire differs from the documents.
import test from 'ava'
import { Fault } from '../../specs/faults.ts'
import { exitOf } from '../../src/fly/wire.ts'
import { machine, standIn, type Told } from './stand-in.ts'

const [volume, certificate] = [
  { id: 'vol_1', name: 'kc_dev_a_001', state: 'created', size_gb: 3, region: 'iad', attached_machine_id: null },
  { hostname: '*.example.com', status: 'active', configured: true, rate_limited_until: null },
]

test('machine calls go to their endpoints with their parameters', async (t) => {
  const lease = { status: 'success', data: { nonce: 'n1', expires_at: 1_790_000_000, owner: 'me', version: '01V' } }
  const list = { json: [machine] }
  const one = { json: machine }
  const ok = { json: { ok: true } }
  const script: Told[] = [list, list, one, one, { json: {} }, ok, ok, { json: lease }, { json: lease }, ok, ok]
  const { client, asked } = await standIn(t, script)
  await client.machineList('app')
  const metadata = { moorage_env: 'dev', moorage_uid: 'a b&c' }
  await client.machineList('app', { metadata, state: ['started', 'stopped'], includeDeleted: true })
  await client.machineCreate('app', { name: 'n', region: 'iad', config: { image: 'x' }, skip_launch: true })
  await client.machineUpdate('app', 'm1', { config: { image: 'y' }, current_version: '01V' }, { nonce: 'n1' })
  await client.machineStart('app', 'm1', { nonce: 'n1', priority: 9 })
  await client.machineStop('app', 'm1', { signal: 'SIGTERM', timeout: '10s' })
  await client.machineWait('app', 'm1', { state: 'stopped', timeoutSeconds: 10, version: '01V' })
  t.is((await client.leaseAcquire('app', 'm1', { ttl: 30, description: 'r/7' })).nonce, 'n1')
  await client.leaseAcquire('app', 'm1', { ttl: 30, nonce: 'n1' })
  await client.leaseRelease('app', 'm1', 'n1')
  await client.machineDelete('app', 'm1', { force: true })
  const at = '/v1/apps/app/machines'
  t.deepEqual(
    asked.map(({ method, url, body, headers }) => [method, url, body, headers['fly-machine-lease-nonce']]),
    [
      ['GET', at, '', undefined],
      [
        'GET',
        `${at}?metadata.moorage_env=dev&metadata.moorage_uid=a+b%26c&state=started%2Cstopped&include_deleted=true`,
        '',
        undefined,
      ],
      ['POST', at, '{"name":"n","region":"iad","config":{"image":"x"},"skip_launch":true}', undefined],
      ['POST', `${at}/m1`, '{"config":{"image":"y"},"current_version":"01V"}', 'n1'],
      ['POST', `${at}/m1/start`, '', 'n1'],
      ['POST', `${at}/m1/stop`, '{"signal":"SIGTERM","timeout":"10s"}', undefined],
      ['GET', `${at}/m1/wait?state=stopped&version=01V&timeout=10`, '', undefined],
      ['POST', `${at}/m1/lease`, '{"ttl":30,"description":"r/7"}', undefined],
      ['POST', `${at}/m1/lease`, '{"ttl":30}', 'n1'],
      ['DELETE', `${at}/m1/lease`, '', 'n1'],
      ['DELETE', `${at}/m1?force=true`, '', undefined],
    ],
  )
})

test('names are encoded, and an empty one never becomes another endpoint', async (t) => {
  const { client, asked, records } = await standIn(t, [{ json: certificate }, { json: certificate }])
  await client.certificateGet('app', '*.example.com')
  await client.certificateCheck('a/b', 'x?y#z')
  t.deepEqual(
    asked.map(({ url }) => url),
    ['/v1/apps/app/certificates/%2A.example.com', '/v1/apps/a%2Fb/certificates/x%3Fy%23z/check'],
  )
  for (const id of ['', '.', '..']) {
    await t.throwsAsync(client.machineDelete('app', id, { force: true }), { instanceOf: TypeError })
    await t.throwsAsync(client.volumeDelete('app', id), { instanceOf: TypeError })
    await t.throwsAsync(client.machineGet(id, 'm1'), { instanceOf: TypeError })
  }
  t.is(asked.length, 2)
  t.is(records.length, 2)
})

test('a configuration comes back whole, unknown fields and nulls too', async (t) => {
  const config = {
    image: 'x@sha256:1',
    env: { A: '1' },
    mounts: [{ volume: 'vol_1', path: '/data', name: null, size_gb_limit: 3 }],
    guest: { cpu_kind: 'shared', cpus: 1, memory_mb: 2048, gpus: null },
    metadata: null,
    init: { exec: ['/bin/sh'], tty: false },
    a_field_of_next_year: [{ deep: null }],
  }
  const { client } = await standIn(t, [{ json: { ...machine, config, nonce: null, future: 1 } }])
  const found = await client.machineGet('app', 'm1')
  t.deepEqual(found.config as unknown, config)
  t.is(found.nonce, undefined)
  t.is(found['future'], 1)
})

test('null stands for an empty list and for a field without a value', async (t) => {
  const { client } = await standIn(t, [{ json: null }, { json: [volume] }, { json: { certificates: null } }])
  t.deepEqual(await client.machineList('app'), [])
  t.is((await client.volumeList('app'))[0]?.attached_machine_id, undefined)
  t.deepEqual(await client.certificateList('app'), [])
})

test('a machine on a host that is out of reach may have no configuration', async (t) => {
  const { client } = await standIn(t, [{ json: [{ ...machine, host_status: 'unreachable', config: null }] }])
  const [found] = await client.machineList('app')
  t.like(found, { host_status: 'unreachable' })
  t.is(found?.config, undefined)
})

test('a start that Fly calls a success although it failed is a fault', async (t) => {
  const failed = (message: string): Told => ({ json: { status: 'error', message } })
  const script = [
    failed('machine still active, refusing to start'),
    failed('could not reserve resource for machine: insufficient memory available to fulfill request'),
    { json: { previous_state: 'stopped', migrated: false } },
  ]
  const { client } = await standIn(t, script)
  const first = await t.throwsAsync(client.machineStart('app', 'm1'), { instanceOf: Fault })
  t.is(first.kind, 'transient')
  t.is(first.message, 'Fly answered 200 to machineStart: machine still active, refusing to start')
  t.is((await t.throwsAsync(client.machineStart('app', 'm1'), { instanceOf: Fault })).kind, 'hostFull')
  t.is((await client.machineStart('app', 'm1')).previous_state, 'stopped')
})

test('a command that fails is an answer; a missing exit code is 0', async (t) => {
  const script: Told[] = [{ json: { exit_code: 7, stderr: 'no' } }, { json: { stdout: 'yes' } }]
  const { client, asked } = await standIn(t, script)
  t.like(await client.machineExec('app', 'm1', { command: ['false'], timeout: 5 }), { exit_code: 7, stdout: '' })
  t.like(await client.machineExec('app', 'm1', { command: ['true'] }), { exit_code: 0, stdout: 'yes', stderr: '' })
  t.deepEqual(asked[0]?.body, '{"command":["false"],"timeout":5}')
})

test('a lease is read with and without its envelope', async (t) => {
  const bare = { nonce: 'n2', expires_at: 1_790_000_000 }
  const { client } = await standIn(t, [
    { status: 201, json: bare },
    { status: 201, json: { status: 'success', data: bare } },
  ])
  t.is((await client.leaseAcquire('app', 'm1', { ttl: 30 })).nonce, 'n2')
  t.is((await client.leaseAcquire('app', 'm1', { ttl: 30 })).expires_at, 1_790_000_000)
})

test('the certificate list reads every page, and notices a circle', async (t) => {
  const page = (host: string, next?: string): Told => ({
    json: { certificates: [{ hostname: host }], next_cursor: next ?? null, total_count: 3 },
  })
  const { client, asked } = await standIn(t, [
    page('a', 'c1'),
    page('b', 'c2'),
    page('c', ''),
    page('a', 'c1'),
    page('b', 'c1'),
  ])
  t.deepEqual(
    (await client.certificateList('app')).map(({ hostname }) => hostname),
    ['a', 'b', 'c'],
  )
  t.deepEqual(
    asked.map(({ url }) => url.split('?')[1]),
    ['limit=500', 'limit=500&cursor=c1', 'limit=500&cursor=c2'],
  )
  const fault = await t.throwsAsync(client.certificateList('app'), { instanceOf: Fault })
  t.is(fault.kind, 'unavailable')
  t.is(asked.length, 5)
})

test('the platform answers in small letters or in capitals', async (t) => {
  const script: Told[] = [
    { json: { regions: [{ code: 'iad', name: 'Ashburn' }], nearest: 'iad' } },
    { json: { Regions: [{ Code: 'iad' }], Nearest: 'iad' } },
    { json: { Regions: [{ Region: 'iad', Count: 2, Concurrency: 1 }] } },
  ]
  const { client, asked } = await standIn(t, script)
  t.is((await client.regions())[0]?.code, 'iad')
  t.is((await client.regions())[0]?.code, 'iad')
  t.like((await client.placements({ org_slug: 'personal', region: 'iad,any' }))[0], { region: 'iad', count: 2 })
  t.is(asked[2]?.body, '{"org_slug":"personal","region":"iad,any"}')
})

test('an exit is found in both of its places', async (t) => {
  const exit = { exit_code: 137, oom_killed: true, requested_stop: false }
  const event = { id: '01E', type: 'exit', status: 'stopped', source: 'flyd', timestamp: 1 }
  const events = [
    { ...event, request: { exit_event: exit } },
    { ...event, request: { MonitorEvent: { exit_event: exit }, restart_count: 1 } },
    { ...event, type: 'start', request: null },
  ]
  const { client, asked } = await standIn(t, [{ json: events }])
  const found = await client.machineEvents('app', 'm1', 50)
  t.deepEqual(
    found.map((one) => exitOf(one)?.oom_killed),
    [true, true, undefined],
  )
  t.is(asked[0]?.url, '/v1/apps/app/machines/m1/events?limit=50')
})

test('a metadata patch removes what has no value, and names the version it saw', async (t) => {
  const { client, asked } = await standIn(t, [{ status: 204 }])
  await client.machineMetadataPatch('app', 'm1', { values: { a: '1', b: undefined }, version: '01V' })
  t.is(asked[0]?.method, 'PATCH')
  t.is(asked[0]?.body, '{"metadata":{"a":"1","b":null},"machine_version":"01V"}')
})
