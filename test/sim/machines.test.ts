// Machines on the wire: what a create answers, what is refused and with which words, and what each list shows.
import test from 'ava'
import { guest, headOf, image, machine, mounted, until, world } from './fixture.ts'

const path = '/apps/app/machines'

test('a create answers a machine that is created, and it gets started behind the answer', async (t) => {
  const { api, guests } = await world(t)
  const env = { HELLO: 'there', FLY_REGION: 'nowhere' }
  const made = await api('POST', path, { name: 'kc-one', region: 'iad', config: { image, guest, env } })
  t.is(made.status, 200)
  t.like(made.body, { name: 'kc-one', region: 'iad', state: 'created', host_status: 'ok' })
  t.regex(made.body.id, /^[0-9a-f]{14}$/)
  t.regex(made.body.instance_id, /^[0-9A-HJKMNP-TV-Z]{26}$/)
  t.regex(made.body.private_ip, /^127\.\d+\.\d+\.\d+$/)
  t.like(made.body.config, { image, guest, init: {}, restart: { policy: 'on-failure' } })
  t.like(made.body, { image_ref: { registry: 'ghcr.io', repository: 'openclaw/openclaw', tag: 'latest' } })
  t.false('nonce' in made.body)
  const started = await until(api, made.body.id, 'started')
  t.deepEqual(
    started.events.map((event: { type: string; status: string }) => `${event.type} ${event.status}`),
    ['start started', 'start starting', 'launch created'],
  )
  const inside = guests.up.get(made.body.id)
  t.like(inside, { address: made.body.private_ip, port: 18789 })
  t.like(inside?.env, {
    HELLO: 'there',
    FLY_REGION: 'iad',
    FLY_MACHINE_ID: made.body.id,
    FLY_APP_NAME: 'app',
    FLY_PRIVATE_IP: made.body.private_ip,
    FLY_VM_MEMORY_MB: '2048',
    FLY_MACHINE_VERSION: made.body.instance_id,
  })
})

test('of twenty creates with one name at once exactly one wins, and the others name the winner', async (t) => {
  const { api } = await world(t)
  const create = () => api('POST', path, { name: 'same', config: { image } })
  const replies = await Promise.all(Array.from({ length: 20 }, create))
  const won = replies.filter(({ status }) => status === 200)
  t.is(won.length, 1)
  const lost = replies.filter(({ status }) => status === 409)
  t.is(lost.length, 19)
  for (const { body } of lost)
    t.is(
      body.error,
      `already_exists: unique machine name violation, machine ID ${won[0]?.body.id} already exists with name "same"`,
    )
  t.is((await api('GET', path)).body.length, 1)
})

test('a name is free again once its machine is destroyed, which stays readable by id', async (t) => {
  const { api } = await world(t)
  const first = await machine(api, 'again')
  t.is((await api('DELETE', `${path}/${first.id}?force=true`)).status, 200)
  t.is((await until(api, first.id, 'destroyed')).state, 'destroyed')
  const second = await machine(api, 'again')
  t.not(second.id, first.id)
  t.not(second.private_ip, first.private_ip)
  const ids = async (query: string) => (await api('GET', path + query)).body.map((one: { id: string }) => one.id)
  t.deepEqual(await ids(''), [second.id])
  t.deepEqual((await ids('?include_deleted=true')).sort(), [first.id, second.id].sort())
  t.is((await api('DELETE', `${path}/${first.id}`)).status, 404)
  t.is((await api('GET', `${path}/${first.id}/wait?state=started`)).status, 404)
})

test('a running machine is not destroyed without force, and kill counts as force', async (t) => {
  const { api, guests } = await world(t)
  const { id } = await machine(api, 'running')
  const refused = await api('DELETE', `${path}/${id}`)
  t.is(refused.status, 412)
  t.regex(refused.body.error, /^failed_precondition: /)
  t.true(guests.up.has(id))
  const gone = await api('DELETE', `${path}/${id}?kill=true`)
  t.deepEqual(gone.body, { ok: true })
  await until(api, id, 'destroyed')
  t.false(guests.up.has(id))
})

const wrong: readonly (readonly [string, unknown, string])[] = [
  ['no config', {}, 'config'],
  ['no image', { config: {} }, 'config.image'],
  ['odd memory', { config: { image, guest: { ...guest, memory_mb: 2000 } } }, 'config.guest.memory_mb'],
  ['too much memory', { config: { image, guest: { ...guest, memory_mb: 4096 } } }, 'config.guest.memory_mb'],
  ['three shared CPUs', { config: { image, guest: { ...guest, cpus: 3 } } }, 'config.guest.cpus'],
  ['no such kind', { config: { image, guest: { ...guest, cpu_kind: 'warp' } } }, 'config.guest.cpu_kind'],
  ['no such region', { region: 'xyz', config: { image } }, 'region'],
  ['a name with capitals', { name: 'Kc', config: { image } }, 'name'],
  ['env that is no text', { config: { image, env: { A: 1 } } }, 'config.env.A'],
  ['a mount without a path', { config: { image, mounts: [{ volume: 'vol_1' }] } }, 'config.mounts.0.path'],
]
for (const [what, body, field] of wrong)
  test(`a create with ${what} is refused and names ${field}`, async (t) => {
    const { api } = await world(t)
    const { status, body: answer } = await api('POST', path, body)
    t.is(status, 400)
    t.true(answer.error.startsWith(`invalid_argument: ${field}: `), answer.error)
    t.deepEqual((await api('GET', path)).body, [])
  })

test('a list is filtered by metadata, state and region, and a summary leaves things out', async (t) => {
  const { api } = await world(t)
  await machine(api, 'one', { metadata: { kc_uid: 'u1', kc_env: 'test' } })
  const two = await machine(api, 'two', { metadata: { kc_uid: 'u2', kc_env: 'test' } })
  await api('POST', path, { name: 'three', region: 'fra', config: { image }, skip_launch: true })
  const names = async (query: string) =>
    (await api('GET', `${path}?${query}`)).body.map((one: { name: string }) => one.name).sort()
  t.deepEqual(await names('metadata.kc_env=test'), ['one', 'two'])
  t.deepEqual(await names('metadata.kc_env=test&metadata.kc_uid=u2'), ['two'])
  t.deepEqual(await names('region=fra'), ['three'])
  await api('POST', `${path}/${two.id}/stop`)
  await until(api, two.id, 'stopped')
  t.deepEqual(await names('state=stopped'), ['three', 'two'])
  t.deepEqual(await names('state=started,stopped'), ['one', 'three', 'two'])
  const summary = headOf((await api('GET', `${path}?summary=true&region=fra`)).body)
  for (const field of ['config', 'checks', 'events', 'host_status']) t.false(field in summary, field)
})

test('an update replaces the whole config, gives a new version, and boots the machine anew', async (t) => {
  const { api, guests } = await world(t)
  const { volume, machine: first } = await mounted(api, 'up')
  const boots = guests.up.get(first.id)?.boots
  const stale = await api('POST', `${path}/${first.id}`, { config: { image }, current_version: 'OLD' })
  t.is(stale.status, 409)
  t.regex(stale.body.error, /^aborted: /)
  const config = { image: image.replace('latest', 'v2'), guest }
  const body = { config, current_version: first.instance_id, region: 'iad', name: 'up' }
  const updated = await api('POST', `${path}/${first.id}`, body)
  t.is(updated.status, 200)
  t.is(updated.body.state, 'replacing')
  t.not(updated.body.instance_id, first.instance_id)
  const started = await until(api, first.id, 'started')
  t.is(started.instance_id, updated.body.instance_id)
  t.is(started.config.image, config.image)
  t.is(started.config.mounts[0]?.volume, volume.id)
  t.not(guests.up.get(first.id)?.boots, boots)
  const { body: versions } = await api('GET', `${path}/${first.id}/versions`)
  t.deepEqual(
    versions.map((each: { version: string }) => each.version),
    [updated.body.instance_id, first.instance_id],
  )
  t.is((await api('POST', `${path}/${first.id}`, { config, region: 'fra' })).status, 400)
  t.is((await api('POST', `${path}/${first.id}`, { config, name: 'other' })).status, 400)
})

test('an update of a stopped machine with skip_launch leaves it stopped', async (t) => {
  const { api } = await world(t)
  const { id } = await machine(api, 'still')
  await api('POST', `${path}/${id}/stop`)
  await until(api, id, 'stopped')
  t.is((await api('POST', `${path}/${id}`, { config: { image }, skip_launch: true })).status, 200)
  t.is((await until(api, id, 'settled')).state, 'stopped')
  t.is((await api('POST', `${path}/${id}`, { config: { image } })).status, 200)
  t.is((await until(api, id, 'started')).state, 'started')
})

test('metadata changes make no new version and no restart', async (t) => {
  const { api, guests } = await world(t)
  const { id, instance_id: version } = await machine(api, 'meta', { metadata: { a: '1' } })
  const boots = guests.up.get(id)?.boots
  const at = `${path}/${id}/metadata`
  t.is((await api('POST', `${at}/b`, { value: '2' })).status, 204)
  t.is((await api('PATCH', at, { metadata: { c: '3', a: null }, machine_version: version })).status, 204)
  t.is((await api('PATCH', at, { metadata: { d: '4' }, machine_version: 'stale' })).status, 412)
  t.deepEqual((await api('GET', at)).body, { b: '2', c: '3' })
  t.deepEqual((await api('GET', `${at}/b`)).body, { value: '2' })
  t.is((await api('DELETE', `${at}/b`)).status, 204)
  t.is((await api('GET', `${at}/b`)).status, 404)
  const now = (await api('GET', `${path}/${id}`)).body
  t.is(now.instance_id, version)
  t.deepEqual(now.config.metadata, { c: '3' })
  t.is(guests.up.get(id)?.boots, boots)
})

test('what is not there is 404, in the words of each', async (t) => {
  const { api } = await world(t)
  t.deepEqual((await api('GET', `${path}/148e21ea7e46e8`)).body, { error: 'not_found: machine not found' })
  t.is((await api('GET', '/apps/none/machines')).status, 404)
  const unbuilt = await api('GET', '/apps/app/secretkeys')
  t.is(unbuilt.status, 404)
  t.regex(unbuilt.body.error, /simulator does not have/)
})

test('a call without a token is 401 with the documented body', async (t) => {
  const { sim, api } = await world(t)
  const bare = await fetch(`${sim.url}/v1${path}`)
  t.is(bare.status, 401)
  t.deepEqual(await bare.json(), { error: 'Authenticate: token validation error' })
  t.regex(bare.headers.get('fly-request-id') ?? '', /^[0-9A-Z]{26}-[a-z]{3}$/)
  t.is((await api('GET', path, undefined, { authorization: 'FlyV1 fm2_x,fm2_y' })).status, 200)
  t.is((await api('GET', path, undefined, { authorization: 'Bearer ' })).status, 401)
})

test('exec runs in a started machine only, and answers 200 whatever the command does', async (t) => {
  const { api, guests } = await world(t)
  const { id } = await machine(api, 'exec')
  const good = await api('POST', `${path}/${id}/exec`, { command: ['echo', 'hi'] })
  t.deepEqual(good.body, { exit_code: 0, exit_signal: 0, stdout: 'echo hi', stderr: '' })
  t.is((await api('POST', `${path}/${id}/exec`, { cmd: `false "a b" 'c d' e\\ f` })).body.exit_code, 1)
  t.deepEqual(guests.commands.at(-1), ['false', 'a b', 'c d', 'e f'])
  t.is((await api('POST', `${path}/${id}/exec`, {})).status, 400)
  const late = await api('POST', `${path}/${id}/exec`, { command: ['hang'], timeout: 1 })
  t.is(late.status, 408)
  t.regex(late.body.error, /^deadline_exceeded: /)
  await api('POST', `${path}/${id}/stop`)
  await until(api, id, 'stopped')
  t.is((await api('POST', `${path}/${id}/exec`, { command: ['echo'] })).status, 412)
  t.is((await api('GET', `${path}/${id}/ps`)).status, 412)
})
