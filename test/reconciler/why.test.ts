// Why a tenant is as it is: every reason has its sentence, every world has exactly one cause, and the sentences read well.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { plan } from '../../reconciler/plan.ts'
import { reasons, reasonWords } from '../../reconciler/reasons.ts'
import { statusBlind, statusFailed, statusSeen } from '../../reconciler/status.ts'
import { why, type Why } from '../../reconciler/why.ts'
import { Fault, faultRules, type FaultKind } from '../../specs/faults.ts'
import type { Tenant } from '../../specs/tenant.ts'
import { emptyWorld, modelMachine, modelVolume, type ModelWorld } from '../helpers/model.ts'
import { freshStatus, tenantWith } from '../helpers/tenants.ts'
import { inputFor, plannerWorlds, worldNow } from '../helpers/worlds.ts'

const folder = join(import.meta.dirname, '..', '..', 'reconciler')

/** Every word that the code writes where a reason stands, so that a new one cannot be forgotten. */
function reasonsInSources(): Map<string, string> {
  const found = new Map<string, string>()
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
  for (const file of files) {
    // Orphans, adoptions and rollouts have reasons of their own, which are no tenant's.
    if (/^(reasons|chain)\.ts$|^(orphans|adoption|rollout)\//.test(file)) continue
    const text = readFileSync(join(folder, file), 'utf8')
    const places = [
      /\breason: '([A-Z]\w+)'/g,
      /\b(?:poll|stall)\(\s*\w+,\s*'([A-Z]\w+)'/g,
      /\bsay\(\s*'\w+',[^'()]*'([A-Z]\w+)'/g,
    ]
    for (const place of places) for (const [, reason = ''] of text.matchAll(place)) found.set(reason, file)
  }
  return found
}

/** Promised by the parts that are written beside this one. */
const promised = [
  ...['HostUnreachable', 'Stuck', 'CrashLoop', 'UpdateDeferred', 'DriftPersists', 'SnapshotPending', 'Retained'],
  ...['Purging', 'VolumeMissing', 'VolumeLeaving', 'OutcomeUnknown', 'MachineBusy', 'VolumeBusy', 'GuestUnreachable'],
  ...['GuestStarting', 'IdentityMismatch', 'CertificatePending', 'ObserveOnly', 'Paused', 'ObservationSuspect'],
  ...['BudgetExhausted', 'PendingApproval', 'RegionFull', 'ClassUnknown', 'ForeignResource', 'PurgeBlocked', 'NotSeen'],
]

test('every reason that the sources, the faults and the planner’s worlds know has a sentence', (t) => {
  const inSources = reasonsInSources()
  t.true(inSources.size > 20, [...inSources.keys()].join())
  const known = new Set([...promised, ...inSources.keys(), ...Object.values(faultRules).map(({ reason }) => reason)])
  for (const { input } of plannerWorlds()) {
    const decision = plan(input)
    if (decision.kind === 'wait' || decision.kind === 'stalled') known.add(decision.reason)
    for (const { reason } of statusSeen(input, decision).conditions) known.add(reason)
  }
  t.deepEqual(
    [...known].filter((reason) => reasonWords(reason) === undefined),
    [],
  )
  for (const [reason, { means, waitsOn, help }] of Object.entries(reasons)) {
    t.regex(means, /^[A-Z].{15,}\.$/s, reason)
    if (waitsOn === 'person') t.true(help.length > 0, `${reason}: a person, but to do what?`)
  }
})

/** What must hold of every answer. Throws with the name of what does not. */
function assertTold({ tenant }: { tenant: Tenant }, told: Why): void {
  const causes = told.chain.filter(({ state }) => state === 'cause')
  const broken = (text: string) => new Error(`${text}\n${told.text}`)
  if (causes.length !== (told.asWanted ? 0 : 1)) throw broken(`${causes.length} causes`)
  if (!told.asWanted && told.nextAttemptAt === undefined && told.actions.length === 0)
    throw broken('neither a next try nor something to do')
  if (/undefined|NaN|\[object|\.\.|\s{2,}\S/.test(told.summary)) throw broken('a broken sentence')
  if (!told.summary.startsWith(`${tenant.name} is `)) throw broken('it does not begin with the tenant')
  if (!told.text.startsWith(told.summary)) throw broken('the text does not begin with the sentence')
  if (told.asWanted !== (told.waitsOn === 'nothing')) throw broken(`waits on ${told.waitsOn}`)
}

test('in every world: one cause or none, something to wait for or to do, and the same from a look and from the record', (t) => {
  let count = 0
  for (const { name, input } of plannerWorlds()) {
    const decision = plan(input)
    const tenant = { ...input.tenant, status: statusSeen(input, decision) }
    const [fresh, stored] = [why({ tenant, now: input.now, decision }), why({ tenant, now: input.now })]
    count += 1
    try {
      assertTold(input, fresh)
      assertTold(input, stored)
      if (fresh.blocking?.reason !== stored.blocking?.reason)
        throw new Error(`${fresh.blocking?.reason} or ${stored.blocking?.reason}`)
      if (decision.kind !== 'settled' && fresh.asWanted) throw new Error('as wanted, although there is something to do')
    } catch (error) {
      t.fail(`${name}: ${error instanceof Error ? error.message : String(error)}`)
      return
    }
  }
  t.true(count > 3_000, String(count))
})

test('every fault, in a step and in a look, says what it means, what Fly said and what can be done', (t) => {
  const at = { now: worldNow, random: 0 }
  for (const kind of Object.keys(faultRules) as FaultKind[]) {
    const fault = new Fault(kind, 'Fly answered 4xx to machineCreate: the words of Fly', { call: 'machineCreate' })
    const tenant = tenantWith()
    const failed = { ...tenant, status: { ...statusFailed(tenant, 'createMachine', fault, at), observedGeneration: 1 } }
    for (const seen of [failed, { ...tenant, status: statusBlind(tenant, 'running', fault, at) }]) {
      const told = why({ tenant: seen, now: worldNow + 100 })
      assertTold({ tenant }, told)
      t.is(told.blocking?.reason, fault.rule.reason)
      t.true(told.summary.includes(reasonWords(fault.rule.reason)?.means ?? '?'), kind)
      t.true(told.summary.includes('the words of Fly'), kind)
      t.is(told.nextAttemptAt === undefined, fault.rule.retry === 'person', kind)
      t.is(told.attempts, 1)
    }
  }
})

const record = {
  volume: { id: 'vol_1', incarnation: 1 },
  machine: { id: 'm1', state: 'started', region: 'iad', incarnation: 1 },
}
const running: ModelWorld = emptyWorld({
  ...{ app: 'present', volumes: [modelVolume({})], machines: [modelMachine({})] },
  ...{ certificates: { '*.localhost': 'issued' }, guest: { kind: 'ready', boot: 'b' } },
})

/** The tenant after one look at the world. */
function seen(tenant: Tenant, world: ModelWorld): Tenant {
  const input = inputFor(
    { ...tenant, status: { ...freshStatus, ...record, preparedBoot: 'b', ...tenant.status } },
    world,
  )
  return { ...tenant, status: statusSeen(input, plan(input)) }
}
const summary = (tenant: Tenant, later = 0) => why({ tenant, now: worldNow + later }).summary

test('a tenant that is as wanted says so, and since when', (t) => {
  const tenant = seen(tenantWith(), running)
  t.is(
    summary(tenant, 6 * 86_400_000 + 2 * 3_600_000),
    'acme is running as wanted since 2026-01-01 12:00 UTC (6 d 2 h).',
  )
  const told = why({ tenant, now: worldNow })
  t.true(told.chain.every(({ state }) => state === 'ok'))
  t.like(told, { phase: 'Running', wanted: 'Running', waitsOn: 'nothing', asWanted: true, attempts: 0 })
})

test('a suspended tenant says by whom, and who has to lift it', (t) => {
  const asleep = { ...running, machines: [modelMachine({ state: 'suspended' })] }
  const billed = seen(tenantWith({}, { entitlement: { state: 'suspended', reason: 'invoice past due' } }), asleep)
  t.is(
    summary(billed, 60_000),
    'acme is suspended as wanted since 12:00:00 UTC (1 min): billing suspended it (invoice past due); the admin wants it running, and billing’s word wins.',
  )
  t.deepEqual(
    why({ tenant: billed, now: worldNow }).actions.map(({ command }) => command),
    ['moor entitle acme active'],
  )
  t.like(why({ tenant: billed, now: worldNow }).desired, { votes: { admin: 'running', billing: 'suspended' } })
  t.regex(summary(seen(tenantWith({ state: 'suspended' }), asleep)), /: the admin suspended it\.$/)
  const instead = tenantWith({}, { entitlement: { state: 'suspended' }, entitledBy: 'admin' })
  t.regex(summary(seen(instead, asleep)), /: an admin, in billing’s place, suspended it; the admin wants it running/)
  const { chain } = why({ tenant: instead, now: worldNow })
  t.true(chain.some(({ sentence }) => sentence === 'An admin, in billing’s place, says suspended.'))
})

test('a full region: the step, how often, when next, and how to go on now', (t) => {
  const fault = new Fault('regionFull', 'Fly answered 422 to volumeCreate: insufficient capacity', {
    call: 'volumeCreate',
  })
  const first = tenantWith({}, { status: { ...freshStatus, observedGeneration: 1 } })
  const once = { ...first, status: statusFailed(first, 'createVolume', fault, { now: worldNow, random: 1 }) }
  const twice = { ...first, status: statusFailed(once, 'createVolume', fault, { now: worldNow + 30_000, random: 1 }) }
  t.is(
    summary(twice, 52_000),
    'acme is Provisioning, not Running: Fly has no room in the region now. Fly answered 422 to volumeCreate: insufficient capacity. Creating the volume failed 2 times in a row since 12:00:00 UTC. Next try in 38 s (12:01:30 UTC). To try again now: moor retry acme',
  )
})

test('waiting parts are not failures: one cause, the rest waits for it', (t) => {
  const starting = { ...running, guest: { kind: 'starting', boot: 'b' } as const }
  const told = why({ tenant: seen(tenantWith(), starting), now: worldNow })
  t.deepEqual(
    told.chain.map(({ subject, state }) => `${subject} ${state}`),
    [
      ...['Accepted ok', 'Entitled ok', 'Permitted ok', 'Observed ok', 'VolumeReady ok', 'MachineReady ok'],
      ...['Prepared waits', 'CertificateReady ok', 'Routable cause', 'Ready waits'],
    ],
  )
  t.is(told.phase, 'Starting')
})

test('a change that nobody has looked at is news, not a failure', (t) => {
  const tenant = { ...seen(tenantWith(), running), generation: 2 }
  t.like(why({ tenant, now: worldNow }), { blocking: { reason: 'NotSeen', kind: 'news' }, waitsOn: 'leader-election' })
})

test('an update that waits for the next stop, and a word of billing’s that waits for approval', (t) => {
  const drifted = { ...running, machines: [modelMachine({ specHash: 'old' })] }
  const status = {
    ...freshStatus,
    route: { kind: 'forward', machine: 'm1', incarnation: 1, address: '127.1.1.1', port: 1 } as const,
  }
  const deferred = why({ tenant: seen(tenantWith({}, { status }), drifted), now: worldNow })
  t.like(deferred, { phase: 'Running', blocking: { reason: 'UpdateDeferred' }, waitsOn: 'time' })
  t.is(deferred.nextAttemptAt, worldNow + 7 * 86_400_000)
  t.regex(deferred.summary, /^acme is Running, but not all is as wanted: .* To update it now, with a restart: /)
  const parked = { entitlement: { state: 'suspended' as const }, since: worldNow }
  const held = why({ tenant: seen(tenantWith({}, { parked }), running), now: worldNow })
  t.like(held, { phase: 'Running', blocking: { reason: 'MassChange' }, waitsOn: 'approval' })
})

test('a tenant that is held back on purpose says by what, and is not stalled', (t) => {
  const asleep = { ...running, machines: [modelMachine({ state: 'suspended' })] }
  const tenant = seen(tenantWith({ paused: true }), asleep)
  const until = worldNow + 300_000
  const decision = { kind: 'stalled', reason: 'Paused', message: 'The tenant is paused.', until } as const
  const told = why({ tenant, now: worldNow, decision })
  t.like(told, { phase: 'Starting', waitsOn: 'person', blocking: { subject: 'Permitted' } })
  t.is(
    told.summary,
    'acme is Starting, not Running: The tenant is paused. Nothing happens until somebody decides. To let Moorage act again: moor set acme paused=false',
  )
})

test('a deleted tenant says until when its data is kept, and how to take it back', (t) => {
  const gone = { ...running, machines: [], snapshots: [{ id: 's', complete: true, createdAt: 0, sizeBytes: 1 }] }
  const snapshot = { volume: 'vol_1', requestedAt: 0, known: [], id: 's' }
  const tenant = seen(tenantWith({ state: 'deleted' }, { status: { ...freshStatus, snapshot } }), gone)
  const told = why({ tenant, now: worldNow })
  t.regex(told.summary, /^acme is deleted as wanted since .*retained until 2026-01-15T12:00:00\.000Z/)
  t.is(told.phase, 'Retained')
  t.deepEqual(
    told.actions.map(({ does }) => does),
    ['take the deletion back'],
  )
})
