// The database is gone, the machines live: `moor adopt` brings the tenants back on real processes, and nobody notices.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { moor } from '../cli/fixture.ts'
import { api, converged, flyState, put, visit } from '../helpers/client.ts'
import { startFly, startMoorage, until, withFolder } from '../helpers/processes.ts'

const looks = /(Get|List|Wait)$/

async function changes(url: string): Promise<Record<string, number>> {
  const { calls } = await flyState(url)
  return Object.fromEntries(Object.entries(calls).filter(([action, count]) => count > 0 && !looks.test(action)))
}

test('a lost database, a restart, moor adopt', (t) =>
  withFolder(async (flyFolder) =>
    withFolder(async (folder) => {
      const fly = await startFly(flyFolder)
      const settings = { FLY_API_TOKEN: 'simulated', FLY_FLAPS_BASE_URL: fly.url, FLY_APP: 'adopt' }
      const env = { ...settings, MOORAGE_PROXY_PORT: '0', MOORAGE_RESYNC_CRON: '* * * * * *' }
      const first = await startMoorage(folder, env)
      try {
        await put(first, 'acme', { class: 'byok', config: { channels: { x: { enabled: true } } } })
        await put(first, 'globex', { class: 'standard' })
        const before = await Promise.all([converged(first, 'acme'), converged(first, 'globex')])
        const mutations = await changes(fly.url)
        await first.end('SIGTERM')
        await rm(join(folder, 'db'), { recursive: true })

        const second = await startMoorage(folder, { ...env, MOORAGE_PROXY_PORT: String(first.proxyPort) })
        try {
          // It sees that the database must be wrong, and keeps its hands off.
          await until('orphan search says that the database is lost', 30_000, async () => {
            const { items } = (await api(second, '/v1/orphans')).json() as { items: { reason: string }[] }
            return items.length === 4 && items.every(({ reason }) => reason === 'DatabaseLost') ? true : undefined
          })
          const ran = await moor(['adopt'], { MOORAGE_API: second.api, MOORAGE_DATA: folder })
          t.like(ran, { code: 0, out: '2 adopted, 0 skipped, 0 unclaimed\n' }, ran.err)
          const after = await Promise.all([converged(second, 'acme'), converged(second, 'globex')])
          t.deepEqual(
            after.map(({ uid, spec, status: { machine } }) => ({ uid, spec, machine })),
            before.map(({ uid, spec, status: { machine } }) => ({ uid, spec, machine })),
          )
          for (const { name, uid } of before) t.is((await visit(second, name)).headers['x-moorage-guest'], `${uid}/1`)
          await until('no orphan is left', 30_000, async () =>
            (await api(second, '/v1/orphans')).text === '{"items":[]}' ? true : undefined,
          )
          t.deepEqual(await changes(fly.url), mutations)
        } finally {
          await second.end('SIGTERM')
        }
      } finally {
        await first.end('SIGKILL')
        await fly.end('SIGTERM')
      }
    }),
  ))
