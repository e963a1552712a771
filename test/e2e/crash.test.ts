// kill -9 in the middle of each provisioning step and after each reply; then start again: the same machine, volume and
// certificate, nothing twice, nothing lost.
import { randomInt } from 'node:crypto'
import test from 'ava'
import { converged, flyState, put, visit } from '../helpers/client.ts'
import { startFly, startMoorage, until, withFolder, type Moorage } from '../helpers/processes.ts'
import { tapFly, type Moment } from '../helpers/wiretap.ts'

const scale = '0.02'
/** createApp, createVolume, createMachine, exec, certificate: the changes that provisioning makes, in order. */
const steps = ['the app', 'the volume', 'the machine', 'the packages', 'the certificate'] as const
const moments: readonly Moment[] = ['before', 'unanswered', 'answered']

async function provisionWithKill(flyUrl: string, index: number, moment: Moment) {
  return withFolder(async (folder) => {
    const app = `crash-${index}-${moment}-${randomInt(1e9)}`
    const environment = (url: string) => ({
      FLY_API_TOKEN: 'simulated',
      FLY_FLAPS_BASE_URL: url,
      FLY_APP: app,
      MOORAGE_SIM_SCALE: scale,
      MOORAGE_ENV: `e${randomInt(1e8)}`,
      MOORAGE_RESYNC_CRON: '*/2 * * * * *',
    })
    const running: { first?: Moorage } = {}
    const tap = await tapFly(flyUrl, index, moment, () => running.first?.end('SIGKILL'))
    const settings = environment(tap.url)
    const first = await startMoorage(folder, settings)
    running.first = first
    const created = await put(first, 'crash', { class: 'byok' })
    const { uid } = created.json() as { uid: string }
    await until(`it was killed at ${steps[index] ?? ''}`, 40_000, () =>
      Promise.resolve(first.child.signalCode === 'SIGKILL' ? true : undefined),
    )
    await tap.close()

    const second = await startMoorage(folder, { ...settings, FLY_FLAPS_BASE_URL: flyUrl })
    try {
      const tenant = await converged(second, 'crash')
      const page = await visit(second, 'crash')
      const state = await flyState(flyUrl)
      const machines = state.machines.filter(({ config }) => config.metadata['moorage_uid'] === uid)
      const volumes = state.volumes.filter(({ name }) => name.includes(uid))
      return { tenant, page, machines, volumes, uid }
    } finally {
      await second.end('SIGTERM')
    }
  })
}

for (const moment of moments)
  test(`kill -9 at each provisioning step: ${moment}`, (t) =>
    withFolder(async (folder) => {
      const fly = await startFly(folder, { MOORAGE_SIM_SCALE: scale })
      try {
        for (const [index, step] of steps.entries()) {
          const { tenant, page, machines, volumes, uid } = await provisionWithKill(fly.url, index, moment)
          const where = `${step}, ${moment}`
          t.is(machines.length, 1, `${where}: one machine`)
          t.is(machines[0]?.state, 'started', where)
          t.is(machines[0]?.id, tenant.status.machine?.id, where)
          t.is(volumes.length, 1, `${where}: one volume`)
          t.is(volumes[0]?.id, tenant.status.volume?.id, where)
          t.is(page.status, 200, where)
          t.is(page.headers['x-moorage-guest'], `${uid}/1`, where)
        }
      } finally {
        await fly.end('SIGTERM')
      }
    }))
