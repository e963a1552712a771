// Execute: one step -> one call. The only switch with effects; it decides nothing.
import { gatewayConfig } from '../boot/config.ts'
import { PREPARE_AGAIN, prepareCommand } from '../boot/machine.ts'
import { personaliseCommand } from '../boot/personalise.ts'
import { renewCommand } from '../boot/renew.ts'
import type { Instant } from '../specs/clock.ts'
import { Fault } from '../specs/faults.ts'
import type { Tenant } from '../specs/tenant.ts'
import type { Wish } from './decision.ts'
import type { ObservedMachine, ObservedVolume } from './observed.ts'
import type { Ports, SleepAnswer } from './ports.ts'
import type { Step } from './step.ts'
import { gatewayInput, wantedConfig } from './wish.ts'
import { claims } from './world.ts'

/** What a step brought into the world. */
export interface Created {
  readonly volume?: ObservedVolume
  readonly machine?: ObservedMachine
  /** When the LLM token in the configuration that was sent was issued; undefined where there is none. */
  readonly tokenIssuedAt?: Instant
  /** What the gateway said about its sleep, and about its end. */
  readonly sleep?: SleepAnswer
  readonly opened?: 'open' | 'silent'
}

type StepOf<K extends Step['kind']> = Extract<Step, { kind: K }>

function resolvedOf(tenant: Tenant, wish: Wish) {
  if (wish.resolved === undefined) throw new TypeError(`tenant ${tenant.name} has no class, yet a step needs it`)
  return wish.resolved
}

async function createVolume({ cloud }: Ports, tenant: Tenant, wish: Wish, step: StepOf<'createVolume'>) {
  const { cpuKind, cpus, memoryMb } = resolvedOf(tenant, wish).guest
  const volume = await cloud.createVolume(step, { cpu_kind: cpuKind, cpus, memory_mb: memoryMb })
  return { volume }
}

/** The machine that already has our name is adopted, once it says itself that it is ours. */
async function adopt({ cloud }: Ports, tenant: Tenant, step: StepOf<'createMachine'>, fault: Fault) {
  const id = fault.details.existingId
  const found = id === undefined ? undefined : await cloud.machine(id)
  if (found === undefined) throw fault
  // A name proves nothing: whoever may write in the app could have chosen it.
  if (claims(found, tenant.uid) && found.incarnation === step.incarnation) return { machine: found }
  throw new Fault('foreign', `Machine ${found.id} has the name ${step.name} but does not belong to this tenant.`, {
    call: 'machineCreate',
    cause: fault,
  })
}

const tokenTime = ({ clock }: Ports, { resolved }: Wish): Pick<Created, 'tokenIssuedAt'> =>
  resolved?.managed === true ? { tokenIssuedAt: clock.now() } : {}

async function createMachine(ports: Ports, tenant: Tenant, wish: Wish, step: StepOf<'createMachine'>) {
  const occasion = { volumeId: step.volume, incarnation: step.incarnation }
  const issued = tokenTime(ports, wish)
  const config = await wantedConfig(ports, tenant, resolvedOf(tenant, wish), occasion)
  try {
    return { machine: await ports.cloud.createMachine(step, config), ...issued }
  } catch (error) {
    if (error instanceof Fault && error.kind === 'nameTaken') return adopt(ports, tenant, step, error)
    throw error
  }
}

async function updateMachine(ports: Ports, tenant: Tenant, wish: Wish, step: StepOf<'updateMachine'>) {
  const occasion = { volumeId: step.volume, incarnation: step.incarnation }
  const issued = tokenTime(ports, wish)
  const config = await wantedConfig(ports, tenant, resolvedOf(tenant, wish), occasion)
  return { machine: await ports.cloud.updateMachine(step.id, step.version, config, step.launch), ...issued }
}

async function prepare({ cloud }: Ports, step: StepOf<'prepareMachine'>): Promise<void> {
  const { exitCode, said } = await cloud.exec(step.id, prepareCommand())
  if (exitCode === 0) return
  if (exitCode === PREPARE_AGAIN)
    throw new Fault('transient', 'The browser packages are still being installed.', { call: 'machineExec' })
  throw new Fault('commandFailed', `Installing the browser packages failed with exit code ${exitCode}: ${said}`, {
    call: 'machineExec',
  })
}

async function renew({ cloud, secrets }: Ports, { uid }: Tenant, step: StepOf<'renewToken'>): Promise<void> {
  const token = await secrets.llmToken(uid)
  const { exitCode } = await cloud.exec(step.id, renewCommand(token))
  if (exitCode === 0) return
  // What the command said is not repeated: it may quote the token, whole or cut.
  throw new Fault('commandFailed', `The gateway did not take its new LLM token (exit code ${exitCode}).`, {
    call: 'machineExec',
  })
}

async function personalise(ports: Ports, tenant: Tenant, wish: Wish, step: StepOf<'personalise'>): Promise<void> {
  const resolved = resolvedOf(tenant, wish)
  const config = gatewayConfig(gatewayInput(ports, tenant, resolved))
  const llmToken = resolved.managed ? await ports.secrets.llmToken(tenant.uid) : undefined
  const command = personaliseCommand(ports.settings.bootScript, config, llmToken)
  const fault = (why: string) => new Fault('commandFailed', why, { call: 'machineExec' })
  if (command === undefined) throw fault('The configuration is too long to be told to a running gateway.')
  const { exitCode } = await ports.cloud.exec(step.id, command)
  // What it said may quote the configuration.
  if (exitCode !== 0) throw fault(`Telling the gateway whose it is failed with exit code ${exitCode}.`)
}

/** A request that came after the decision is worth more than the decision. */
async function stillUnused({ activity, clock }: Ports, { uid }: Tenant, since: Instant | undefined): Promise<void> {
  if (since === undefined || (await activity.sleep(uid, since, clock.now()))) return
  throw new Fault('raced', 'The tenant was used in the moment when it was to be put to sleep.', { call: 'sleep' })
}

async function forget({ store }: Ports, tenant: Tenant): Promise<void> {
  if (await store.purge(tenant)) return
  throw new Fault('raced', 'The tenant was written while it was being purged.', { call: 'purge' })
}

/** Performs exactly the one call that `step` names. Throws its Fault. */
export async function execute(ports: Ports, tenant: Tenant, wish: Wish, step: Step): Promise<Created> {
  const { cloud } = ports
  switch (step.kind) {
    case 'createVolume':
      return createVolume(ports, tenant, wish, step)
    case 'createMachine':
      return createMachine(ports, tenant, wish, step)
    case 'updateMachine':
      return updateMachine(ports, tenant, wish, step)
    case 'createApp':
      await cloud.createApp()
      break
    case 'extendVolume':
      await cloud.extendVolume(step.id, step.sizeGb)
      break
    case 'snapshotVolume':
      await cloud.snapshotVolume(step.id)
      break
    case 'destroyVolume':
      await cloud.destroyVolume(step.id)
      break
    case 'stampMachine':
      await cloud.stampMachine(step.id, step.version, step.metadata)
      break
    case 'startMachine':
      await cloud.startMachine(step.id)
      break
    case 'suspendMachine':
      await stillUnused(ports, tenant, step.unusedSince)
      await cloud.suspendMachine(step.id)
      break
    case 'stopMachine':
      await stillUnused(ports, tenant, step.unusedSince)
      await cloud.stopMachine(step.id)
      break
    case 'destroyMachine':
      await cloud.destroyMachine(step.id)
      break
    case 'prepareMachine':
      await prepare(ports, step)
      break
    case 'renewToken':
      await renew(ports, tenant, step)
      break
    case 'personalise':
      await personalise(ports, tenant, wish, step)
      break
    case 'prepareSleep':
      return { sleep: await ports.sleeper.prepare(tenant.uid, step) }
    case 'endSleep':
      return { opened: await ports.sleeper.end(tenant.uid, step) }
    case 'requestCertificate':
      await cloud.requestCertificate(step.host)
      break
    case 'deleteCertificate':
      await cloud.deleteCertificate(step.host)
      break
    case 'forgetTenant':
      await forget(ports, tenant)
      break
  }
  return {}
}
