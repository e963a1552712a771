// Rollouts over REST: what starts one, what a person may do to it in each state, and what its answer shows.
import test from 'ava'
import { lastWave, type Rollout } from '../../specs/rollout.ts'
import { startTestApi, type ApiUnderTest } from './fixture.ts'

const digest = (letter: string) => `ghcr.io/openclaw/openclaw@sha256:${letter.repeat(64)}`

async function wantImage(api: ApiUnderTest, image: string, name = 'byok'): Promise<string | undefined> {
  const present = (await api.call(`/v1/classes/${name}`)).json() as { spec: object }
  const body = JSON.stringify({ kind: 'Class', name, spec: { ...present.spec, image } })
  const headers = { 'content-type': 'application/json' }
  const answer = await api.call(`/v1/classes/${name}`, { method: 'PUT', body, headers })
  if (answer.status !== 200) throw new Error(answer.text)
  return (answer.json()['status'] as { rollout?: string }).rollout
}

async function begin(api: ApiUnderTest, image = digest('a')): Promise<string> {
  const id = await wantImage(api, image)
  if (id === undefined) throw new Error('no rollout began')
  return id
}

const act = (api: ApiUnderTest, id: string, action: string) =>
  api.call(`/v1/rollouts/${id}/actions/${action}`, { method: 'POST' })

async function alter(api: ApiUnderTest, id: string, part: Partial<Rollout>): Promise<void> {
  const rollout = await api.stores.rollouts.read(id)
  if (rollout === undefined || (await api.stores.rollouts.save({ ...rollout, ...part })) === undefined)
    throw new Error('it was not altered')
}

test('a new image starts a rollout, and nobody has it yet', async (t) => {
  const api = await startTestApi(t)
  t.deepEqual((await api.call('/v1/rollouts')).json(), { items: [] })
  const id = await begin(api)
  t.regex(id, /^byok-[a-z2-7]{16}$/)
  const answer = (await api.call(`/v1/rollouts/${id}`)).json()
  t.like(answer, { id, class: 'byok', to: digest('a'), state: 'rolling', wave: 'pool', reason: 'Started' })
  t.regex(String(answer['from']), /^ghcr\.io\/openclaw\/openclaw:/)
  t.deepEqual(
    (answer['waves'] as { wave: string; state: string }[]).map(({ wave, state }) => `${wave} ${state}`),
    ['pool open', 'internal ahead', '1 % ahead', '5 % ahead', '25 % ahead', '100 % ahead'],
  )
  t.like((await api.call('/v1/classes/byok')).json(), { spec: { image: digest('a') }, status: { rollout: id } })
  t.is(((await api.call('/v1/rollouts')).json()['items'] as unknown[]).length, 1)
  t.is((await api.call('/v1/rollouts/nothing')).status, 404)
  t.is((await act(api, 'nothing', 'pause')).status, 404)
  t.is((await act(api, id, 'destroy')).status, 404)
  t.is((await api.call(`/v1/rollouts/${id}/actions/pause`)).status, 405)
})

test('counts, the next decision and its time are shown', async (t) => {
  const api = await startTestApi(t)
  const id = await begin(api)
  const counts = [1, 2, 3, 4, 5, 6].map((members) => ({ members, updated: 1, ready: 1, deferred: 0, failing: 0 }))
  await alter(api, id, { wave: 2, counts, nextAt: 60_000, reason: 'Baking', message: 'It bakes.' })
  t.like((await api.call(`/v1/rollouts/${id}`)).json(), {
    ...{ wave: '1 %', reason: 'Baking', message: 'It bakes.', nextDecisionAt: '1970-01-01T00:01:00.000Z' },
    waves: [
      { state: 'passed' },
      { state: 'passed' },
      { wave: '1 %', state: 'open', members: 3, updated: 1, ready: 1, deferred: 0, failing: 0 },
    ],
  })
})

test('pause, resume, advance and rollback, each in each state', async (t) => {
  const api = await startTestApi(t)
  const id = await begin(api)
  t.like((await act(api, id, 'pause')).json(), { state: 'halted', reason: 'Paused' })
  const again = await act(api, id, 'pause')
  t.is(again.status, 202)
  t.is((again.json()['history'] as unknown[]).length, 2, 'the same again is no event')
  t.like((await act(api, id, 'advance')).json(), { status: 409, code: 'wrong-state' })
  t.like((await act(api, id, 'resume')).json(), { state: 'rolling' })
  t.like((await act(api, id, 'resume')).json(), { state: 'rolling' })
  t.like((await act(api, id, 'advance')).json(), { state: 'rolling', hurried: true, wave: 'pool' })
  await act(api, id, 'pause')
  const back = (await act(api, id, 'rollback')).json()
  t.like(back, { state: 'rolled-back', reason: 'RolledBack' })
  t.regex(String(back['message']), /Every tenant of the class gets ghcr\.io\/openclaw\/openclaw:\S+ again/)
  t.deepEqual(
    (back['history'] as { what: string }[]).map(({ what }) => what),
    ['started', 'paused', 'resumed', 'hurried', 'paused', 'rolled-back'],
  )
  for (const action of ['pause', 'resume', 'rollback', 'advance'])
    t.like((await act(api, id, action)).json(), { status: 409, code: 'wrong-state' }, action)
  for (const state of ['done', 'superseded'] as const) {
    await alter(api, id, { state })
    t.is((await act(api, id, 'rollback')).status, 409, state)
  }
  const entry = (await api.call('/v1/classes/byok')).json()
  t.like(entry, { spec: { image: digest('a') }, status: { rollout: id } }, 'what was wanted stays written')
})

test('another image takes the place of an unfinished one, and starts from what most tenants run', async (t) => {
  const api = await startTestApi(t)
  const first = await begin(api)
  const shipped = (await api.stores.rollouts.read(first))?.from
  await alter(api, first, { wave: 3 })
  const second = await begin(api, digest('b'))
  t.like((await api.call(`/v1/rollouts/${second}`)).json(), { from: shipped, to: digest('b'), wave: 'pool' })
  await alter(api, second, { wave: lastWave })
  const third = await begin(api, digest('c'))
  t.like((await api.call(`/v1/rollouts/${third}`)).json(), { from: digest('b'), to: digest('c') })
  t.is(await wantImage(api, digest('b')), undefined, 'back to the image of most tenants needs no rollout')
})

test('every rollout’s address needs the token', async (t) => {
  const api = await startTestApi(t)
  const id = await begin(api)
  const anonymous = { headers: { authorization: '' } }
  for (const path of ['', `/${id}`]) t.is((await api.call(`/v1/rollouts${path}`, anonymous)).status, 401)
  const acted = await api.call(`/v1/rollouts/${id}/actions/rollback`, { method: 'POST', ...anonymous })
  t.is(acted.status, 401)
  t.like(await api.stores.rollouts.read(id), { state: 'rolling' })
})
