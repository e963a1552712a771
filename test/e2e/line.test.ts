// The main job end to end, as a user does it: processes, HTTP, WebSockets, and nothing else.
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { WebSocket } from 'ws'
import { api, ask, condition, converged, flyState, put, tenant, visit } from '../helpers/client.ts'
import { startMoorage, until, withFolder, type Moorage } from '../helpers/processes.ts'

async function withMoorage(run: (moorage: Moorage, folder: string) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const moorage = await startMoorage(folder)
    try {
      await run(moorage, folder)
    } finally {
      await moorage.end('SIGTERM')
    }
  })
}

function echo(moorage: Moorage, name: string, path: string, token: string | undefined, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { host: `${name}.localhost`, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) }
    const socket = new WebSocket(`ws://127.0.0.1:${moorage.proxyPort}${path}`, { headers })
    socket.on('open', () => socket.send(text))
    socket.on('message', (data: Buffer) => {
      resolve(data.toString())
      socket.close()
    })
    socket.on('unexpected-response', (_request, response) =>
      reject(new Error(`refused with ${response.statusCode ?? 0}`)),
    )
    socket.on('error', reject)
    socket.on('close', (code) => reject(new Error(`closed with ${code}`)))
  })
}

test('a newcomer’s first minutes', (t) =>
  withMoorage(async (moorage, folder) => {
    // The secrets lie in files that only their owner reads.
    t.is((await stat(folder)).mode & 0o777, 0o700)
    t.is((await stat(join(folder, 'admin-token'))).mode & 0o777, 0o600)
    t.notRegex(moorage.output(), new RegExp(moorage.token))

    // The examples are applied, and each answers from its own machine.
    const acme = await converged(moorage, 'acme')
    const globex = await converged(moorage, 'globex')
    await converged(moorage, 'initech')
    for (const { name, uid } of [acme, globex]) {
      const page = await visit(moorage, name)
      t.is(page.status, 200)
      t.is(page.headers['x-moorage-guest'], `${uid}/1`)
    }
    t.is(condition(acme, 'Ready')?.status, 'True')
    t.regex(moorage.output(), /acme +● converged/)

    // WebSockets: an open echo, the gateway's own socket with its token, and not without it.
    t.is(await echo(moorage, 'acme', '/echo', undefined, 'ahoy'), 'ahoy')
    const fly = await flyState(moorage.fly)
    const machine = fly.machines.find(({ config }) => config.metadata['moorage_uid'] === acme.uid)
    const gatewayToken = machine?.config.env['OPENCLAW_GATEWAY_TOKEN']
    t.is(await echo(moorage, 'acme', '/', gatewayToken, 'ahoy'), 'ahoy')
    t.regex(await echo(moorage, 'globex', '/', gatewayToken, 'ahoy'), /AUTH_TOKEN_MISMATCH/)

    // One machine and one volume each, one wildcard certificate; the suspended example has cost nothing.
    t.is(fly.machines.length, 2)
    t.is(fly.volumes.length, 2)
    t.deepEqual(
      fly.certificates.map(({ hostname }) => hostname),
      ['*.localhost'],
    )

    // No secret is in the log or in an answer.
    const secrets = ['OPENCLAW_GATEWAY_TOKEN', 'MOORAGE_BRIDGE_KEY', 'KIWICLAW_PROXY_TOKEN'].map(
      (key) => machine?.config.env[key] ?? t.fail(`${key} is not set`),
    )
    const written = await readFile(join(folder, 'moorage.log'), 'utf8')
    const answered = (await api(moorage, '/v1/tenants')).text
    t.true(written.length > 1_000)
    for (const secret of [...secrets, moorage.token, (await readFile(join(folder, 'master-key'), 'utf8')).trim()])
      t.false(`${written}${answered}${moorage.output()}`.includes(secret))

    // Unknown hosts, no token, a wrong token.
    t.is((await visit(moorage, 'nobody')).status, 404)
    t.is((await ask(`${moorage.api}/v1/tenants`)).status, 401)
    t.is((await api({ ...moorage, token: 'wrong' }, '/v1/tenants')).status, 401)
  }))

test('suspend, run and delete follow the spec, and requests get a clear page meanwhile', (t) =>
  withMoorage(async (moorage) => {
    const { uid } = await converged(moorage, 'acme')
    const before = await flyState(moorage.fly)

    t.is((await put(moorage, 'acme', { state: 'suspended' })).status, 200)
    const suspended = await converged(moorage, 'acme')
    t.is(suspended.status.machine?.state, 'suspended')
    t.is(suspended.status.effective, 'admin-suspended')
    t.is((await visit(moorage, 'acme')).status, 503)

    t.is((await put(moorage, 'acme', { state: 'running' })).status, 200)
    const resumed = await converged(moorage, 'acme')
    t.is(resumed.status.machine?.id, suspended.status.machine?.id)
    t.is((await visit(moorage, 'acme')).headers['x-moorage-guest'], `${uid}/1`)

    const entitlement = (state: string) =>
      api(moorage, '/v1/tenants/acme/entitlement', {
        method: 'PUT',
        body: JSON.stringify({ state }),
        headers: { 'content-type': 'application/json' },
      })
    t.is((await entitlement('suspended')).status, 200)
    t.is((await converged(moorage, 'acme')).status.effective, 'billing-suspended')
    const starts = (await flyState(moorage.fly)).calls['machineStart']
    const refused = await visit(moorage, 'acme', '/', { headers: { accept: 'text/html' } })
    t.is(refused.status, 402)
    t.regex(refused.headers['content-type'] ?? '', /text\/html/)
    t.is((await flyState(moorage.fly)).calls['machineStart'], starts)
    t.is((await entitlement('active')).status, 200)
    await converged(moorage, 'acme')
    t.is((await visit(moorage, 'acme')).status, 200)

    // Deleted: the machine goes, the volume stays.
    t.true((await api(moorage, '/v1/tenants/acme', { method: 'DELETE' })).status < 300)
    const deleted = await converged(moorage, 'acme')
    t.is(deleted.status.effective, 'deleted')
    t.is((await visit(moorage, 'acme')).status, 410)
    const after = await flyState(moorage.fly)
    const machine = after.machines.find(({ config }) => config.metadata['moorage_uid'] === uid)
    t.is(machine?.state, 'destroyed')
    const volume = (state: typeof after) => state.volumes.filter(({ id }) => id === deleted.status.volume?.id)
    t.is(volume(after)[0]?.state, 'created')
    t.is(volume(before).length, 1)
    t.falsy(after.calls['volumeDelete'])

    // Wanted again inside the retention: a second machine on the same volume.
    t.is((await put(moorage, 'acme', { state: 'running' })).status, 200)
    const back = await converged(moorage, 'acme')
    t.is(back.status.machine?.incarnation, 2)
    t.is(back.status.volume?.id, deleted.status.volume?.id)
    t.is((await visit(moorage, 'acme')).headers['x-moorage-guest'], `${uid}/2`)
  }))

test('a new tenant’s requests are answered while it is made, and never by another', (t) =>
  withMoorage(async (moorage) => {
    const created = await put(moorage, 'newco', { state: 'running' })
    t.is(created.status, 201)
    const { uid } = created.json() as { uid: string }
    const seen = new Set<number>()
    await until('newco answers', 40_000, async () => {
      const page = await visit(moorage, 'newco')
      seen.add(page.status)
      if (page.status === 200) t.is(page.headers['x-moorage-guest'], `${uid}/1`)
      else t.true([404, 502, 503].includes(page.status), String(page.status))
      return page.status === 200 ? true : undefined
    })
    t.true(seen.has(503))
  }))

test('wrong input is refused with the path of each wrong field, and changes nothing', (t) =>
  withMoorage(async (moorage) => {
    const before = await converged(moorage, 'acme')
    const yaml = 'kind: Tenant\nname: acme\nspec:\n  state: runing\n  region: Iad\n  bogus: 1\n'
    const refused = await api(moorage, '/v1/tenants/acme', {
      method: 'PUT',
      body: yaml,
      headers: { 'content-type': 'application/yaml' },
    })
    t.is(refused.status, 400)
    t.regex(refused.headers['content-type'] ?? '', /application\/problem\+json/)
    const { errors } = refused.json() as { errors: { path: string; line: number }[] }
    t.deepEqual(errors.map(({ path }) => path).sort(), ['spec.bogus', 'spec.region', 'spec.state'])
    t.is(errors.find(({ path }) => path === 'spec.state')?.line, 4)
    t.is((await put(moorage, 'acme', { state: 'suspended' }, { 'if-match': '"stale.1.1"' })).status, 412)
    const after = await tenant(moorage, 'acme')
    t.is(after.generation, before.generation)
    t.is(after.spec.state, 'running')
  }))
