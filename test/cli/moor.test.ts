// `moor` over a real API: what it prints, what it changes, what it says when it is refused, and its exit codes.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { parse } from 'yaml'
import type { OrphanRecord } from '../../reconciler/orphans/orphan.ts'
import { orphansIn } from '../../src/store/orphans.ts'
import { openStore } from '../../src/store/open.ts'
import { startTestApi, stored, token } from '../api/fixture.ts'
import { moor } from './fixture.ts'

async function folderOf(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'moorage-cli-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

const two = `# Two tenants in one file.
kind: Tenant
name: acme
labels: { plan: pro }
spec:
  class: byok
---
kind: Tenant
name: globex
spec: {}
`

test('cost: a table with its total, and CSV', async (t) => {
  const api = await startTestApi(t)
  const run = (...args: string[]) => moor(args, { MOORAGE_API: api.url, MOORAGE_TOKEN: token })
  const shown = await run('cost', '--month', '2026-10')
  t.regex(
    shown.out,
    /^2026-10 \((complete|so far, until .*)\), in USD, prices of \d{4}-\d\d-\d\d\nTENANT .*\ntotal .* 0\.00 +0\.00\n$/,
  )
  const csv = await run('cost', '--csv')
  t.regex(csv.out, /^tenant,uid,.*\r\ntotal,/)
  t.is((await run('cost', '--month', 'May')).code, 1)
})

test('apply, get, suspend, resume, retry, delete: a tenant’s life', async (t) => {
  const api = await startTestApi(t)
  const folder = await folderOf(t)
  const file = join(folder, 'two.yaml')
  await writeFile(file, two)
  await writeFile(join(folder, 'admin-token'), `${token}\n`)
  // The token comes from the data folder where it is not set.
  const env = { MOORAGE_API: api.url, MOORAGE_DATA: folder }
  const run = (...args: string[]) => moor(args, env)

  t.deepEqual(await run('get'), { code: 0, out: 'There are no tenants.\n', err: '' })
  t.deepEqual(await run('apply', '-f', file), {
    code: 0,
    out: 'tenant/acme created\ntenant/globex created\n',
    err: '',
  })
  t.is((await stored(api.tenants, 'acme')).spec.class, 'byok')
  t.is((await run('apply', '-f', file)).out, 'tenant/acme unchanged\ntenant/globex unchanged\n')
  const changed = await moor(['apply', '-f', '-'], env, two.replace('plan: pro', 'plan: max'))
  t.is(changed.out, 'tenant/acme configured\ntenant/globex unchanged\n')

  const lines = (await run('get', 'tenants')).out.split('\n')
  t.regex(lines[0] ?? '', /^NAME +READY +STATE +REGION +CLASS +AGE +MACHINE +REASON$/)
  t.regex(lines[1] ?? '', /^acme +Unknown +running +iad +byok +\d+s +- +-$/)
  t.like(JSON.parse((await run('get', 'acme', '-o', 'json')).out), { name: 'acme', labels: { plan: 'max' } })
  t.like(parse((await run('get', '-o', 'yaml')).out), { items: [{ name: 'acme' }, { name: 'globex' }] })

  t.is((await run('suspend', 'acme')).out, 'tenant acme: suspended is wanted\n')
  t.like(await stored(api.tenants, 'acme'), { labels: { plan: 'max' }, spec: { class: 'byok', state: 'suspended' } })
  t.is((await run('resume', 'acme')).code, 0)
  t.is((await stored(api.tenants, 'acme')).spec.state, 'running')
  t.is((await run('retry', 'acme')).out, 'tenant acme is tried again now\n')
  t.truthy((await stored(api.tenants, 'acme')).retryRequestedAt)
  t.is((await run('restart', 'acme')).out, 'tenant acme is restarted\n')
  t.truthy((await stored(api.tenants, 'acme')).restartRequestedAt)
  t.regex((await run('delete', 'acme')).out, /retained\. Undo: moor undelete acme/)
  t.is((await stored(api.tenants, 'acme')).spec.state, 'deleted')
})

test('what is refused comes with file, line, column and field; a file that cannot be read applies nothing', async (t) => {
  const api = await startTestApi(t)
  const env = { MOORAGE_API: api.url, MOORAGE_TOKEN: token }
  const wrong = two.replace('spec: {}', 'spec:\n  state: runing\n  regoin: iad')
  const refused = await moor(['apply', '-f', '-'], env, wrong)
  t.is(refused.code, 1)
  t.is(refused.out, 'tenant/acme created\n')
  t.regex(refused.err, /^tenant\/globex refused \(-\): The document is not valid\n/)
  t.regex(refused.err, /\nmoor: 1 of 2 documents were not applied\.\n$/)
  t.regex(refused.err, /\n {2}-:11:10 spec\.state /)
  t.regex(refused.err, /\n {2}-:12:11 spec\.regoin is not a known field/)
  const broken = await moor(['apply', '-f', '-'], env, `${two}---\nkind: [Tenant\n`)
  t.is(broken.code, 1)
  t.regex(broken.err, /^moor: -:1[0-3]:\d+ /)
  const other = await moor(['apply', '-f', '-'], env, 'kind: Queue\nname: gold\n')
  t.is(other.err, 'moor: -:1:1 must be a Tenant, a Class or a Pool with a name\n')
  // Of the first file the document before the refused one was applied, of those that cannot be read nothing.
  t.deepEqual(
    (await api.tenants.page({ limit: 9 })).map(({ name }) => name),
    ['acme'],
  )
})

test('a missing tenant, a wrong token, no token and no API are each said in a sentence: exit code 1', async (t) => {
  const api = await startTestApi(t)
  const env = { MOORAGE_API: api.url, MOORAGE_TOKEN: token }
  t.deepEqual(await moor(['get', 'nobody'], env), { code: 1, out: '', err: 'moor: There is no tenant named nobody.\n' })
  const denied = await moor(['get'], { ...env, MOORAGE_TOKEN: 'wrong-canary' })
  t.deepEqual([denied.code, denied.out], [1, ''])
  t.notRegex(denied.err, /wrong-canary/)
  const none = await moor(['get'], { MOORAGE_API: api.url, MOORAGE_DATA: await folderOf(t) })
  t.is(none.code, 1)
  t.regex(none.err, /There is no token: set MOORAGE_TOKEN/)
  const away = await moor(['get'], { ...env, MOORAGE_API: 'http://127.0.0.1:1' })
  t.is(away.code, 1)
  t.regex(away.err, /The API at http:\/\/127\.0\.0\.1:1 cannot be reached/)
})

test('misuse is exit code 2, help is 0 and needs no token', async (t) => {
  for (const args of [[], ['gett'], ['get', '-o', 'xml'], ['apply'], ['suspend'], ['orphans', 'release']])
    t.is((await moor(args, {})).code, 2, args.join(' '))
  const help = await moor(['--help'], {})
  t.is(help.code, 0)
  for (const word of ['apply', 'get', 'why', 'plan', 'events', 'delete', 'undelete', 'suspend', 'resume', 'retry'])
    t.regex(help.out, new RegExp(`\\n  ${word}[ \\[]`), word)
  for (const word of ['fleet', 'adopt', 'orphans', 'MOORAGE_API']) t.true(help.out.includes(word), word)
})

test('adopt says who came back and who did not; orphans are listed and decided about', async (t) => {
  const store = await openStore({ uri: undefined, folder: await folderOf(t) })
  t.teardown(() => store.close())
  const orphans = orphansIn(store.db)
  const record: OrphanRecord = {
    ...{ id: 'vol_1', kind: 'volume', name: 'kc_dev_zzzzzzzzzzzzzzzz_001', uid: 'zzzzzzzzzzzzzzzz', region: 'iad' },
    ...{ cause: 'noTenant', state: 'quarantined', reason: 'Quarantined', message: 'It is kept.', attempts: 0 },
    ...{ firstSeen: 0, lastSeen: 0, quarantinedAt: 0, revision: 1 },
  }
  await orphans.add([record, { ...record, id: 'vol_2' }])
  const adopted = { uid: 'abcdefghijklmnop', machine: 'm1', volume: 'v1', state: 'running', fenced: [] } as const
  const api = await startTestApi(t, () => ({
    orphans,
    adopt: async ({ dryRun }) => ({
      at: 0,
      dryRun,
      adopted: [{ ...adopted, name: 'acme', drift: 'restart' }],
      skipped: [],
      unclaimed: [{ id: 'm2', kind: 'machine', reason: 'Its metadata names no tenant.' }],
    }),
  }))
  const run = (...args: string[]) => moor(args, { MOORAGE_API: api.url, MOORAGE_TOKEN: token })
  const dry = await run('adopt', '--dry-run')
  t.is(dry.code, 0)
  t.regex(dry.out, /^1 would be adopted, 0 skipped, 1 unclaimed\n/)
  t.regex(dry.out, /acme: its machine is not what/)
  t.regex(dry.out, /machine m2: Its metadata names no tenant\./)
  t.regex((await run('adopt')).out, /^1 adopted,/)
  t.like(JSON.parse((await run('adopt', '-o', 'json')).out), { dryRun: false })

  t.regex((await run('orphans')).out, /^ID +KIND[^\n]*\nvol_1 +volume +z+ +quarantined/)
  t.regex((await run('orphans', 'release', 'vol_1')).out, /^vol_1 is released/)
  t.regex((await run('orphans', 'keep', 'vol_2')).out, /^vol_2 is kept/)
  t.is((await orphans.get('vol_1'))?.state, 'released')
  const missing = await run('orphans', 'keep', 'vol_3')
  t.deepEqual([missing.code, missing.err], [1, 'moor: There is no orphan with the id vol_3.\n'])
})

test('why, plan, events, fleet and undelete show what the API says', async (t) => {
  const asked: string[] = []
  const columns = ['LAST', 'MESSAGE']
  const answers: Record<string, object> = {
    'GET /v1/tenants/acme/why': { text: 'acme is Running.', blocking: [] },
    'GET /v1/tenants/acme/plan': {
      waitsFor: null,
      steps: [{ verb: 'createVolume', target: 'kc_dev_x_001', why: 'There is none.', typicalSeconds: 3 }],
      ends: 'settled',
    },
    'GET /v1/tenants/acme/events?output=rows': { columns, rows: [{ name: 'e1', cells: ['3m', 'iad is full.'] }] },
    'GET /v1/events?output=rows': { columns, rows: [] },
    'GET /v1/fleet': { mode: 'normal', tenants: 2 },
    'POST /v1/tenants/acme/actions/undelete': {},
  }
  const server = createServer((request, response) => {
    const call = `${request.method ?? ''} ${request.url ?? ''}`
    asked.push(call)
    response.end(JSON.stringify(answers[call] ?? {}))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  t.teardown(() => void server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const run = async (...args: string[]) => (await moor(args, { MOORAGE_API: url, MOORAGE_TOKEN: token })).out
  t.is(await run('why', 'acme'), 'acme is Running.\n')
  t.like(JSON.parse(await run('why', 'acme', '-o', 'json')), { blocking: [] })
  t.is(await run('plan', 'acme'), '1 step:\n  createVolume  kc_dev_x_001  (usually 3 s)  There is none.\n')
  t.is(await run('events', 'acme'), 'LAST  MESSAGE\n3m    iad is full.\n')
  t.is(await run('events'), 'There are no events.\n')
  t.is(await run('fleet'), 'mode: normal\ntenants: 2\n')
  t.is(await run('undelete', 'acme'), 'tenant acme is taken back\n')
  t.deepEqual([...new Set(asked)].sort(), Object.keys(answers).sort())
})

test('set, entitle, approve, restore and the fleet’s words do what their names say', async (t) => {
  const api = await startTestApi(t)
  await api.putJson('acme', { kind: 'Tenant', name: 'acme', labels: { plan: 'pro' }, spec: {} })
  const env = { MOORAGE_API: api.url, MOORAGE_TOKEN: token }
  const run = (...args: string[]) => moor(args, env)
  t.is((await run('set', 'acme', 'paused=true', 'volume={sizeGb: 3}')).code, 0)
  t.like(await stored(api.tenants, 'acme'), { labels: { plan: 'pro' }, spec: { paused: true, volume: { sizeGb: 3 } } })
  const wrong = await run('set', 'acme', 'volume={sizeGb: 0}')
  t.is(wrong.code, 1)
  t.regex(wrong.err, /spec\.volume\.sizeGb/)
  t.regex((await run('set', 'acme', 'paused')).err, /field=value/)
  t.is((await run('entitle', 'acme', 'suspended', '--reason', 'past due')).out, 'tenant acme: entitlement suspended\n')
  t.deepEqual((await stored(api.tenants, 'acme')).entitlement, { state: 'suspended', reason: 'past due' })
  t.is((await run('entitle', 'acme', 'off')).code, 2)
  t.regex((await run('approve', 'acme')).err, /waits for approval/)
  t.regex((await run('restore', 'acme')).err, /no volume/)
  t.is((await run('fleet', 'observe-only')).out, 'mode observe-only is wanted\n')
  t.regex((await run('fleet')).out, /observe-only/)
  t.is((await run('fleet', 'normal')).code, 0)
  t.is((await run('fleet', 'retry')).code, 0)
  t.is((await run('rollouts')).out, 'There are no rollouts.\n')
})
