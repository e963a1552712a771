// What happens to the tenants during the soak: sleep in the middle of use, suspension by admin and billing, a move to another
// host, a crash, a deletion that is taken back, and tenants that come and go.
import { setTimeout as delay } from 'node:timers/promises'
import { api, flyState, type TenantAnswer } from '../helpers/client.ts'
import { until } from '../helpers/processes.ts'
import type { Group, Ledger, Target } from './ledger.ts'
import type { SoakStage } from './stage.ts'

export interface Fleet {
  readonly targets: Target[]
  of(group: Group): readonly Target[]
}

const json = { 'content-type': 'application/json' }

async function call(stage: SoakStage, method: string, path: string, body?: object): Promise<TenantAnswer> {
  const text = body === undefined ? undefined : JSON.stringify(body)
  const answer = await api(stage, path, { method, headers: json, body: text, timeoutMs: 30_000 })
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text.slice(0, 300)}`)
  return answer.json() as unknown as TenantAnswer
}

function put(stage: SoakStage, name: string, spec: object): Promise<TenantAnswer> {
  return call(stage, 'PUT', `/v1/tenants/${name}`, { kind: 'Tenant', name, labels: {}, spec: { class: 'byok', region: 'ams', ...spec } }) // prettier-ignore
}

const idleOf = (group: Group) => ({ afterMinutes: group === 'sleeper' ? 1 : 0 })

async function add(stage: SoakStage, fleet: Fleet, name: string, group: Group): Promise<Target> {
  const { uid } = await put(stage, name, { state: 'running', idle: idleOf(group) })
  const target = { name, uid, group }
  fleet.targets.push(target)
  return target
}

/** Makes the tenants, and waits until each one's road is open. */
export async function settle(stage: SoakStage, counts: Readonly<Record<Group, number>>): Promise<Fleet> {
  const targets: Target[] = []
  const fleet: Fleet = { targets, of: (group) => targets.filter((target) => target.group === group) }
  for (const [group, count] of Object.entries(counts) as [Group, number][])
    for (let index = 0; index < count; index += 1) await add(stage, fleet, `${group}${index}`, group)
  for (const { name } of targets)
    await until(`${name} is ready`, 240_000, async () => {
      const { status } = await call(stage, 'GET', `/v1/tenants/${name}`)
      return status.conditions.some(({ type, status: is }) => type === 'Ready' && is === 'True') || undefined
    })
  return fleet
}

/** As if nobody had used the tenant for an hour, whoever uses it just now. */
async function forget({ db }: SoakStage, { uid }: Target): Promise<void> {
  const past = Date.now() - 3_600_000
  const of = { _id: uid as never }
  await db.collection('activity').updateOne(of, { $set: { lastUsedAt: past }, $inc: { revision: 1 } })
  // This write is what the controller hears of.
  await db.collection('tenants').updateOne(of, { $set: { createdAt: past, 'status.awakeSince': past }, $inc: { revision: 1 } }) // prettier-ignore
}

async function fault(stage: SoakStage, kind: 'migrate' | 'crash', { uid }: Target): Promise<void> {
  const { machines } = await flyState(stage.fly)
  const machine = machines.find(({ config, state }) => config.metadata['moorage_uid'] === uid && state === 'started')
  if (machine === undefined) return
  const body = JSON.stringify({ kind, machine: machine.id, count: 1 })
  await api({ api: stage.fly, token: 'simulated' }, '/_sim/faults', { method: 'POST', headers: json, body })
}

type Deed = (stage: SoakStage, fleet: Fleet, target: Target, going: () => boolean) => Promise<void>

const suspend: Deed = async (stage, _fleet, { name, group }) => {
  await put(stage, name, { state: 'suspended', idle: idleOf(group) })
  await delay(6_000)
  await put(stage, name, { state: 'running', idle: idleOf(group) })
}

const bill: Deed = async (stage, _fleet, { name }) => {
  await call(stage, 'PUT', `/v1/tenants/${name}/entitlement`, { state: 'suspended', reason: 'invoice past due' })
  await delay(6_000)
  await call(stage, 'PUT', `/v1/tenants/${name}/entitlement`, { state: 'active' })
}

const remove: Deed = async (stage, _fleet, { name, group }) => {
  await call(stage, 'DELETE', `/v1/tenants/${name}`)
  await delay(10_000)
  await put(stage, name, { state: 'running', idle: idleOf(group) })
}

const come: Deed = async (stage, fleet) => {
  const made = await add(stage, fleet, `guest${fleet.targets.length}`, 'disturbed')
  await delay(25_000)
  await call(stage, 'DELETE', `/v1/tenants/${made.name}`)
}

const deeds: Readonly<Record<string, { readonly deed: Deed; readonly of: (index: number) => number }>> = {
  suspended: { deed: suspend, of: (index) => index },
  billed: { deed: bill, of: () => 0 },
  migrated: { deed: (stage, _fleet, target) => fault(stage, 'migrate', target), of: (index) => index },
  crashed: { deed: (stage, _fleet, target) => fault(stage, 'crash', target), of: () => 1 },
  'deleted and back': { deed: remove, of: (index) => index },
  'made and deleted': { deed: come, of: (index) => index },
}

/** One deed every few seconds, until the end; a sleeper is forgotten meanwhile. @throws when the API refuses one */
export async function disturb(stage: SoakStage, fleet: Fleet, ledger: Ledger, going: () => boolean): Promise<void> {
  const first = fleet.of('disturbed')
  const sleepers = fleet.of('sleeper')
  const under = new Set<Target>()
  const running: Promise<void>[] = []
  const names = Object.keys(deeds)
  for (let round = 0; going(); round += 1) {
    const name = names[round % names.length] ?? ''
    const deed = deeds[name]
    const target = first[(deed?.of(round) ?? 0) % first.length]
    const sleeper = sleepers[round % sleepers.length]
    if (sleeper !== undefined) await forget(stage, sleeper)
    if (target !== undefined && deed !== undefined && !under.has(target)) {
      under.add(target)
      ledger.count(`tenant ${name}`)
      const done = deed.deed(stage, fleet, target, going).finally(() => under.delete(target))
      running.push(done.catch((error: unknown) => ledger.violated(`${name} ${target.name}: ${String(error)}`)))
    }
    await delay(4_000)
  }
  await Promise.all(running)
}
