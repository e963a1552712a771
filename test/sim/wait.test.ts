// The wait call: its bounds, its answers, and how long it holds.
import test from 'ava'
import { image, machine, slowWorld, world } from './fixture.ts'

const path = '/apps/app/machines'

for (const timeout of ['0', '61', '500ms', '1h', '-5', 'soon'])
  test(`a timeout of ${timeout} is refused`, async (t) => {
    const { api } = await world(t)
    const { id } = await machine(api, 'w')
    const { status, body } = await api('GET', `${path}/${id}/wait?timeout=${timeout}`)
    t.is(status, 400)
    t.regex(body.error, /^invalid_argument: /)
  })

test('a timeout out of range is told the range', async (t) => {
  const { api } = await world(t)
  const { id } = await machine(api, 'w')
  const { body } = await api('GET', `${path}/${id}/wait?timeout=300`)
  t.regex(body.error, /value must be inside range \[1s, 1m0s\]$/)
})

test('what is there already is answered at once, with the version', async (t) => {
  const { api } = await world(t)
  const { id, instance_id: version } = await machine(api, 'w')
  const { status, body } = await api('GET', `${path}/${id}/wait?state=started&instance_id=${version}`)
  t.is(status, 200)
  t.like(body, { ok: true, state: 'started', version })
  t.truthy(body.event_id)
  t.is((await api('GET', `${path}/${id}/wait?state=stopped,started`)).status, 200)
  t.is((await api('GET', `${path}/${id}/wait?state=stopped&state=started`)).status, 200)
  t.is((await api('GET', `${path}/${id}/wait?state=settled`)).status, 200)
  t.is((await api('GET', `${path}/${id}/wait?state=asleep`)).status, 400)
  t.is((await api('GET', `${path}/0000000000000a/wait`)).status, 404)
})

test('the call is held for its timeout and then says what the machine reads', async (t) => {
  const { api, clock, settle } = await slowWorld(t)
  const { id } = (await settle(api('POST', path, { name: 'held', config: { image }, skip_launch: true }))).body
  await clock.advance(15_000)
  const begun = clock.now()
  const { status, body } = await settle(api('GET', `${path}/${id}/wait?state=started&timeout=20`))
  t.is(status, 408)
  t.is(body.error, 'deadline_exceeded: machine failed to reach desired state, started, currently stopped')
  t.true(clock.now() - begun >= 20_000 && clock.now() - begun < 22_000)
})

test('an older version reads replaced: it can be waited away, and never gets started', async (t) => {
  const { api } = await world(t)
  const { id, instance_id: version } = await machine(api, 'w')
  await api('POST', `${path}/${id}`, { config: { image } })
  await api('GET', `${path}/${id}/wait`)
  t.is((await api('GET', `${path}/${id}/wait?state=destroyed&version=${version}`)).status, 200)
  const late = await api('GET', `${path}/${id}/wait?state=started&version=${version}&timeout=1`)
  t.is(late.status, 408)
  t.regex(late.body.error, /currently replaced$/)
})
