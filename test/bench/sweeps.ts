// Benchmark: what grows with the tenants and is done for all of them at once: the usage ledger, the telling of webhooks, the
// audit and its check, costs. Each over an embedded store, for several fleets: twice the tenants may take twice as long.
// Run: node test/bench/sweeps.ts [250 500 1000]
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FleetReading, ObservedMachine } from '../../reconciler/observed.ts'
import { UsageRecorder } from '../../reconciler/usage/recorder.ts'
import { Appender } from '../../src/audit/appender.ts'
import { ChainCheck } from '../../src/audit/chain.ts'
import { realClock } from '../../src/clock.ts'
import { auditIn } from '../../src/store/audit.ts'
import { openStore, type OpenStore } from '../../src/store/open.ts'
import { tenantsIn } from '../../src/store/tenants.ts'
import { usageIn } from '../../src/store/usage.ts'
import { webhooksIn } from '../../src/store/webhooks.ts'
import { sumsByTenant } from '../../src/usage/costs.ts'
import { readPrices } from '../../src/usage/prices.ts'
import { Deliverer } from '../../src/webhooks/deliverer.ts'
import { catchUp, toldTenants } from '../../src/webhooks/told.ts'
import { until } from '../helpers/processes.ts'
import { tenantWith } from '../helpers/tenants.ts'
import { webhookKeys } from '../helpers/webhook-keys.ts'

const failed = (error: unknown) => {
  throw error
}
const uidOf = (index: number) => `u${String(index).padStart(15, '0')}`
const day = 86_400_000
const quiet = { warn: () => {} }

type Times = Record<string, number>

async function timed(times: Times, what: string, work: () => Promise<unknown>): Promise<void> {
  const started = performance.now()
  await work()
  times[what] = performance.now() - started
}

/** Every machine `turns` changes old. */
function reading(count: number, at: number, turns: number): FleetReading {
  const one = (index: number): ObservedMachine => {
    const changes = Array.from({ length: turns }, (_, turn) => ({
      at: at - (turns - turn) * 60_000,
      state: turn % 2 === 0 ? ('started' as const) : ('suspended' as const),
    }))
    return {
      ...{ id: `m${index}`, name: `kc-bench-${uidOf(index)}-1`, uid: uidOf(index), incarnation: 1 },
      ...{ version: `v${turns}`, region: 'iad', address: 'fdaa::1', metadata: {}, contentHash: '', mount: undefined },
      ...{ hostOk: true, createdAt: at - day, updatedAt: at - 60_000, changes },
      ...{ state: 'started', size: { cpuKind: 'shared', cpus: 1, memoryMb: 2048 } },
    }
  }
  return { at, machines: Array.from({ length: count }, (_, index) => one(index)), volumes: [] }
}

async function usage({ db }: OpenStore, count: number, times: Times): Promise<void> {
  const store = usageIn(db)
  const source = { machine: () => Promise.resolve(undefined), volume: () => Promise.resolve(undefined) }
  const recorder = new UsageRecorder({ store, source, naming: { prefix: 'kc', environment: 'bench' } })
  const now = Date.now()
  await timed(times, 'usage, first', () => recorder.sweep(reading(count, now, 3)))
  await timed(times, 'usage, nothing new', () => recorder.sweep(reading(count, now + 10_000, 3)))
  await timed(times, 'usage, all changed', () => recorder.sweep(reading(count, now + 20_000, 5)))
  await timed(times, 'costs of a month', async () => {
    const window = { from: now - 10 * day, to: now }
    sumsByTenant(await store.between(window.from, window.to), readPrices(), window)
  })
}

async function webhooks({ db }: OpenStore, count: number, times: Times): Promise<void> {
  const [store, tenants] = [webhooksIn(db), tenantsIn(db)]
  const ready = { type: 'Ready', status: 'True', reason: 'Ready', message: '', observedGeneration: 1, lastTransitionTime: 0 } as const // prettier-ignore
  for (let index = 0; index < count; index += 1) {
    const tenant = tenantWith({}, { uid: uidOf(index), name: `t${index}` })
    await tenants.add({ ...tenant, status: { ...tenant.status, conditions: [ready] } })
  }
  const endpoint = { id: 'whe_1', url: 'https://a.example/', events: [], state: 'enabled', secretVersion: 1 } as const
  await store.addEndpoint({ ...endpoint, createdAt: 0, revision: 1 })
  const options = { webhooks: store, clock: realClock, wake: () => {}, failed }
  await timed(times, 'webhooks, comparison that tells all', () => catchUp(tenants, options))
  await timed(times, 'webhooks, comparison, nothing new', () => catchUp(tenants, options))
  const sender = { send: () => Promise.resolve({ status: 204, error: undefined }), close: () => Promise.resolve() }
  const secretOf = webhookKeys.webhookSecret
  const deliverer = new Deliverer({ webhooks: store, sender, clock: realClock, secretOf, failed })
  await timed(times, 'webhooks, all sent', async () => {
    deliverer.wake()
    await until('all is told', 600_000, async () => ((await store.nextDue()) === undefined ? true : undefined))
  })
  await deliverer.close()
  const told = toldTenants(tenants, options)
  const all = await tenants.page({ limit: count })
  await timed(times, 'webhooks, all suspended', async () => {
    for (const tenant of all)
      await told.saveStatus(tenant, { ...tenant.status, effective: 'billing-suspended', conditions: [] })
  })
}

async function audit({ db }: OpenStore, count: number, times: Times): Promise<void> {
  const store = auditIn(db)
  const appender = new Appender({ store, clock: realClock, log: quiet })
  const caller = { id: 'a', name: 'a', role: 'admin', address: '::1' }
  const request = { id: 'r', operation: 'putTenant', method: 'PUT', path: '/v1/tenants/t' }
  const entry = (index: number) =>
    appender.append({ at: new Date().toISOString(), caller, request, object: `tenants/t${index}`, outcome: 'done', changes: [] }) // prettier-ignore
  await timed(times, 'audit, one by one', async () => {
    for (let index = 0; index < count; index += 1) await entry(index)
  })
  await timed(times, 'audit, all at once', () => Promise.all(Array.from({ length: count }, (_, index) => entry(index))))
  await timed(times, 'audit, check', async () => {
    const check = new ChainCheck([])
    for (let after: number | undefined; ;) {
      const page = await store.page({ order: 'oldest', limit: 500, after })
      for (const one of page) check.take({ ...one })
      after = page.at(-1)?.seq
      if (page.length < 500) return check.report()
    }
  })
}

async function run(count: number): Promise<Times> {
  const folder = await mkdtemp(join(tmpdir(), 'moorage-sweeps-'))
  const store = await openStore({ uri: undefined, folder })
  const times: Times = {}
  try {
    await usage(store, count, times)
    await webhooks(store, count, times)
    await audit(store, count, times)
  } finally {
    await store.close()
    await rm(folder, { recursive: true, force: true })
  }
  return times
}

const counts = process.argv.slice(2).map(Number)
const fleets = counts.length === 0 ? [250, 500, 1_000] : counts
const rows: Times[] = []
for (const count of fleets) rows.push(await run(count))
const line = (cells: readonly string[]) => `${cells.map((cell, at) => cell.padEnd(at === 0 ? 38 : 12)).join('')}\n`
process.stdout.write(line(['ms (µs a tenant)', ...fleets.map(String)]))
for (const what of Object.keys(rows[0] ?? {})) {
  const cells = rows.map((times, at) => {
    const ms = times[what] ?? NaN
    return `${ms.toFixed(0)} (${((ms * 1_000) / (fleets[at] ?? 1)).toFixed(0)})`
  })
  process.stdout.write(line([what, ...cells]))
}
