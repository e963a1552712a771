// What whoever runs Moorage looks at, from a real process: metrics with their values, and readiness with its reasons.
import test from 'ava'
import { ask, condition, converged, put, tenant, visit } from '../helpers/client.ts'
import { startMoorage, until, withFolder, type Moorage } from '../helpers/processes.ts'
import { families, lint, valueOf } from '../metrics/lint.ts'

/** Ten minutes without an answer of Fly's; the test ends before. */
const outage = { kind: 'outage', forMs: 600_000 }

function opsOf(moorage: Moorage): string {
  const [, url = ''] = /Health and metrics, without a token: (\S+)\/metrics/.exec(moorage.output()) ?? []
  return url
}

test('metrics tell of a provision and never of a tenant; readiness tells of Fly and stays', (t) =>
  withFolder(async (folder) => {
    const moorage = await startMoorage(folder, { MOORAGE_OPS_PORT: '0', MOORAGE_RESYNC_CRON: '* * * * * *' })
    try {
      const ops = opsOf(moorage)
      const names = ['acme', 'globex', 'initech']
      const settled = await Promise.all(names.map((name) => converged(moorage, name)))
      await visit(moorage, 'acme')
      const scrape = async () => (await ask(`${ops}/metrics`)).text
      const text = await scrape()
      t.deepEqual(lint(text), [])

      const value = (name: string, labels = {}) => valueOf(text, name, labels)
      t.is(value('moorage_tenants', { effective: 'running', ready: 'true' }), 2)
      t.is(value('moorage_tenants', { effective: 'admin-suspended' }), 1)
      t.is(value('moorage_steps_total', { step: 'createMachine', outcome: 'ok' }), 2)
      t.is(value('moorage_steps_total', { step: 'createVolume', outcome: 'ok' }), 2)
      t.is(value('moorage_step_seconds_count', { step: 'createMachine' }), 2)
      t.is(value('moorage_fly_requests_total', { action: 'machineCreate', outcome: 'ok' }), 2)
      t.true((value('rest_client_requests_total', { method: 'GET', code: '200' }) ?? 0) > 3)
      t.is(value('leader_election_master_status', { name: 'reconciler' }), 1)
      t.is(value('controller_runtime_max_concurrent_reconciles', { controller: 'tenant' }), 32)
      t.is(value('controller_runtime_reconcile_panics_total'), 0)
      t.true((value('controller_runtime_reconcile_total', { result: 'requeue' }) ?? 0) >= 4, 'a pass for each step')
      t.true((value('controller_runtime_reconcile_total', { result: 'success' }) ?? 0) >= 3)
      t.is(value('controller_runtime_reconcile_time_seconds_count'), value('controller_runtime_reconcile_total'))
      t.true((value('workqueue_queue_duration_seconds_count') ?? 0) >= (value('workqueue_work_duration_seconds_count') ?? 1)) // prettier-ignore
      t.true((value('workqueue_adds_total', { name: 'tenant' }) ?? 0) >= (value('workqueue_work_duration_seconds_count') ?? 1)) // prettier-ignore
      t.is(value('moorage_fleet_mode', { mode: 'normal' }), 1)
      t.is(value('moorage_fleet_suspect'), 0)
      t.true((value('moorage_fleet_budget_left', { budget: 'fleet' }) ?? 0) >= 1)
      t.true((value('moorage_store_commands_total', { command: 'findAndModify', outcome: 'ok' }) ?? 0) > 5)
      t.is(value('moorage_events_dropped_total'), 0)
      t.is(value('moorage_proxy_routes'), 3)
      t.true((value('moorage_proxy_exchanges_total', { by: 'tenant', status: '2xx' }) ?? 0) >= 1)
      t.is(value('moorage_build_info'), 1)
      t.true((value('process_resident_memory_bytes') ?? 0) > 1e7)
      const labels = families(text).flatMap(({ samples }) => samples.map((sample) => JSON.stringify(sample.labels)))
      const told = new RegExp([...names, ...settled.flatMap(({ uid, status }) => [uid, status.machine?.id ?? uid])].join('|')) // prettier-ignore
      t.deepEqual(labels.filter((each) => told.test(each)), []) // prettier-ignore

      // Live asks nobody; ready asks everybody, and a Fly that is away is told and no reason.
      t.is((await ask(`${ops}/livez`)).text, 'ok\n')
      const ready = await ask(`${ops}/readyz`)
      t.is(ready.status, 200)
      t.deepEqual(ready.text.split('\n').sort(), [
        '',
        '[+]classes ok: 3',
        '[+]fly ok',
        '[+]lease ok: acts, term 1',
        '[+]routes ok: 3',
        '[+]store ok',
        'readyz check passed',
      ])
      const fault = { method: 'POST', body: JSON.stringify(outage), headers: { 'content-type': 'application/json' } }
      t.is((await ask(`${moorage.fly}/_sim/faults`, fault)).status, 201)
      await put(moorage, 'hooli', { class: 'byok' })
      await until('it says that Fly is away', 30_000, async () => {
        const answer = await tenant(moorage, 'hooli')
        return condition(answer, 'Synced')?.reason === 'FlyUnavailable' ? answer : undefined
      })
      const degraded = await ask(`${ops}/readyz`)
      t.is(degraded.status, 200)
      t.regex(degraded.text, /^\[\+\]fly ok: degraded, FlyUnavailable since \d{4}-/m)
      const away = await scrape()
      t.true((valueOf(away, 'controller_runtime_reconcile_errors_total') ?? 0) >= 1)
      t.true((valueOf(away, 'workqueue_retries_total') ?? 0) >= 1)
      t.true((valueOf(away, 'moorage_fleet_holds', { scope: 'api' }) ?? 0) >= 1)
      t.deepEqual(lint(away), [])

      t.is((await ask(`${ops}/`)).status, 404)
      t.is((await ask(`${ops}/metrics`, { method: 'POST' })).status, 405)
    } finally {
      await moorage.end('SIGTERM')
    }
  }))
