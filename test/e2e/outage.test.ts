// Fly's API goes away and comes back: Moorage says so, keeps the roads it knows, and converges after.
import test from 'ava'
import { condition, converged, flyState, put, tenant, visit } from '../helpers/client.ts'
import { startFly, startMoorage, until, withFolder } from '../helpers/processes.ts'

test('kill -9 of the simulator alone: said in conditions, tenants stay reachable, converges after', (t) =>
  withFolder(async (flyFolder) =>
    withFolder(async (folder) => {
      let fly = await startFly(flyFolder)
      const port = new URL(fly.url).port
      const moorage = await startMoorage(folder, {
        FLY_API_TOKEN: 'simulated',
        FLY_FLAPS_BASE_URL: fly.url,
        FLY_APP: 'outage',
        MOORAGE_RESYNC_CRON: '*/2 * * * * *',
      })
      try {
        await put(moorage, 'steady', { class: 'byok' })
        const before = await converged(moorage, 'steady')
        await fly.end('SIGKILL')

        const blind = await until('it says that Fly is away', 30_000, async () => {
          const answer = await tenant(moorage, 'steady')
          return condition(answer, 'Synced')?.status === 'False' ? answer : undefined
        })
        t.is(condition(blind, 'Synced')?.reason, 'FlyUnavailable')
        t.truthy(condition(blind, 'Synced')?.nextTryAt)
        t.is(condition(blind, 'Ready')?.status, 'True')
        t.is((await visit(moorage, 'steady')).headers['x-moorage-guest'], `${before.uid}/1`)

        // What is wanted meanwhile is kept and done once Fly is back.
        t.is((await put(moorage, 'later', { class: 'byok' })).status, 201)
        fly = await startFly(flyFolder, { MOORAGE_FLY_PORT: port })
        const after = await converged(moorage, 'steady')
        t.is(after.status.machine?.id, before.status.machine?.id)
        const later = await converged(moorage, 'later')
        t.is((await visit(moorage, 'later')).headers['x-moorage-guest'], `${later.uid}/1`)
        const state = await flyState(fly.url)
        t.is(state.machines.length, 2)
        t.is(state.volumes.length, 2)
      } finally {
        await moorage.end('SIGTERM')
        await fly.end('SIGTERM')
      }
    }),
  ))

test('kill -9 of everything and start again: the same machines and volumes, nothing twice', (t) =>
  withFolder(async (folder) => {
    const first = await startMoorage(folder)
    const before = await converged(first, 'acme')
    await converged(first, 'globex')
    const stateBefore = await flyState(first.fly)
    await first.end('SIGKILL')

    const second = await startMoorage(folder)
    try {
      const after = await until('acme answers again', 40_000, async () => {
        const page = await visit(second, 'acme')
        return page.status === 200 ? await converged(second, 'acme') : undefined
      })
      await converged(second, 'globex')
      t.is(after.uid, before.uid)
      const state = await flyState(second.fly)
      const ids = (list: readonly { id: string }[]) => list.map(({ id }) => id).sort()
      t.deepEqual(ids(state.machines), ids(stateBefore.machines))
      t.deepEqual(ids(state.volumes), ids(stateBefore.volumes))
      t.deepEqual(state.certificates.length, stateBefore.certificates.length)
    } finally {
      await second.end('SIGTERM')
    }
  }))
