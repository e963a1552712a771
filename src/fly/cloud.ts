// The reconciler's Cloud port over the Fly client: our words in, Fly's calls out. It decides nothing.
import type { Clock } from '../../specs/clock.ts'
import { Fault, type FaultKind } from '../../specs/faults.ts'
import { mergedConfig, type FlyMachineConfig } from '../../boot/machine.ts'
import { metadataKeys, parseName, type Naming } from '../../specs/names.ts'
import type { Cloud } from '../../reconciler/ports.ts'
import type { CertificateState, ObservedMachine } from '../../reconciler/observed.ts'
import type { FlyClient } from './client.ts'
import { observedCertificate, observedMachine, observedSnapshot, observedVolume, surveyedMachine } from './observed.ts'
import { RecentVolumes } from './recent-volumes.ts'
import { sharedRead } from './shared.ts'
import type { Machine, Volume } from './wire.ts'

export interface CloudOptions {
  readonly client: FlyClient
  readonly app: string
  readonly org: string
  /** Machines without the environment's stamp, and volumes without such a name, are foreign and stay invisible. */
  readonly naming: Naming
  readonly clock: Pick<Clock, 'now'>
  /** How long a deleted tenant's volume is kept; its snapshots have to be there after that. */
  readonly retainDays: number
}

/** An issued certificate is not asked for again for so long: hundreds of tenants share one. */
const certificateBeliefMs = 600_000

/** A machine wakes up within seconds, or it is looked at in the ordinary way. */
const waitSeconds = 10

/** A volume's last snapshot outlives the volume by this: a mistaken purge stays recoverable for two weeks. */
const snapshotsOutliveDays = 14
/** Fly's own (docs: volumes/snapshots). */
const longestSnapshotDays = 60

/** The answer, or undefined where Fly says that there is nothing. */
async function orNothing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof Fault && error.kind === 'notFound') return undefined
    throw error
  }
}

/** The answer, or undefined where what was waited for has not come in time, or can never come. */
async function unlessLate<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof Fault && (error.kind === 'timeout' || error.kind === 'notFound')) return undefined
    throw error
  }
}

/** A create that Fly refuses because it exists is done, where reading it back says so. */
async function orExisting(create: Promise<unknown>, refusals: readonly FaultKind[], read: () => Promise<unknown>) {
  try {
    await create
  } catch (error) {
    if (!(error instanceof Fault) || !refusals.includes(error.kind) || (await orNothing(read())) === undefined)
      throw error
  }
}

function alive(machines: readonly Machine[], naming: Naming): ObservedMachine[] {
  return machines.map((machine) => observedMachine(machine, naming)).filter((machine) => machine !== undefined)
}

function mustLive(machine: Machine, call: string, naming: Naming): ObservedMachine {
  const observed = observedMachine(machine, naming)
  if (observed === undefined) throw new Fault('raced', `Machine ${machine.id} is ${machine.state} already.`, { call })
  return observed
}

function certificates({ client, app, clock }: CloudOptions) {
  const issuedAt = new Map<string, number>()
  const read = async (host: string): Promise<CertificateState> => {
    const found = await orNothing(client.certificateGet(app, host))
    const state = found === undefined ? 'absent' : observedCertificate(found)
    if (state === 'issued') issuedAt.set(host, clock.now())
    return state
  }
  return {
    certificate: (host) =>
      clock.now() - (issuedAt.get(host) ?? -Infinity) < certificateBeliefMs ? Promise.resolve('issued') : read(host),
    requestCertificate: (host) =>
      orExisting(client.certificateRequest(app, host), ['invalid', 'raced', 'nameTaken'], () =>
        client.certificateGet(app, host),
      ),
    deleteCertificate: async (host) => {
      issuedAt.delete(host)
      await orNothing(client.certificateDelete(app, host))
    },
  } satisfies Partial<Cloud>
}

function volumes({ client, app, retainDays, clock }: CloudOptions) {
  const list = sharedRead(() => client.volumeList(app))
  const recent = new RecentVolumes(clock)
  return {
    volume: async (id, ageMs = 0) => {
      const known = recent.find(id, ageMs)
      if (known !== undefined) return known
      const found = await orNothing(client.volumeGet(app, id))
      return found === undefined ? undefined : recent.take(observedVolume(found))
    },
    volumesNamed: async (name) =>
      (await list())
        .filter((volume) => volume.name === name)
        .map(observedVolume)
        .filter(({ state }) => state !== 'leaving'),
    createVolume: async ({ name, region, sizeGb, snapshot }, compute) =>
      observedVolume(
        await client.volumeCreate(app, {
          name,
          region,
          size_gb: sizeGb,
          // Names differ for each tenant, so zones need not.
          require_unique_zone: false,
          snapshot_retention: Math.min(longestSnapshotDays, Math.ceil(retainDays) + snapshotsOutliveDays),
          snapshot_id: snapshot,
          compute,
        }),
      ),
    extendVolume: async (id, sizeGb) => {
      recent.forget(id)
      await client.volumeExtend(app, id, sizeGb)
    },
    snapshots: async (volume) =>
      ((await orNothing(client.snapshotList(app, volume))) ?? [])
        .map(observedSnapshot)
        .sort((a, b) => b.createdAt - a.createdAt),
    snapshotVolume: (id) => client.snapshotCreate(app, id),
    destroyVolume: async (id) => {
      recent.forget(id)
      await orNothing(client.volumeDelete(app, id))
    },
  } satisfies Partial<Cloud>
}

function power({ client, app }: CloudOptions) {
  return {
    startMachine: async (id) => {
      await client.machineStart(app, id)
    },
    reached: async ({ machine, state }, signal) => {
      const call = client.machineWait(app, machine, { state, timeoutSeconds: waitSeconds }, { signal })
      return (await unlessLate(call)) !== undefined
    },
    suspendMachine: (id) => client.machineSuspend(app, id),
    stopMachine: async (id) => {
      await orNothing(client.machineStop(app, id))
    },
    destroyMachine: async (id) => {
      await orNothing(client.machineDelete(app, id, { force: true }))
    },
    exec: async (id, command) => {
      const { exit_code: exitCode, stdout, stderr } = await client.machineExec(app, id, { command })
      return { exitCode, said: (stderr || stdout).trim().slice(-300) }
    },
  } satisfies Partial<Cloud>
}

/** Everything of this environment in two lists. */
function fleet({ client, app, naming, clock }: CloudOptions, appExists: () => Promise<boolean>) {
  const stamp = { [metadataKeys.environment]: naming.environment }
  const ours = (volumes: readonly Volume[]) =>
    volumes.filter(({ name }) => parseName(naming, name) !== undefined).map(observedVolume)
  const read = async () => {
    const at = clock.now()
    const lists = await Promise.all([client.machineList(app, { metadata: stamp }), client.volumeList(app)])
    return { at, machines: lists[0], volumes: ours(lists[1]) }
  }
  return {
    fleet: async () => {
      // Before the first machine is made there is no app; pools are filled all the same.
      if (!(await appExists())) return { at: clock.now(), machines: [], volumes: [] }
      const reading = await read()
      return { ...reading, machines: alive(reading.machines, naming) }
    },
    survey: async () => {
      const reading = await read()
      const machines = reading.machines
        .map((machine) => surveyedMachine(machine, naming))
        .filter((machine) => machine !== undefined)
      return { ...reading, machines }
    },
  } satisfies Partial<Cloud>
}

/** The cloud as the reconciler sees it. */
export function flyCloud(options: CloudOptions): Cloud {
  const { client, app, org, naming } = options
  const stamp = { [metadataKeys.environment]: naming.environment }
  let appKnown = false
  const askForApp = sharedRead(async () => (await orNothing(client.appGet(app))) !== undefined)
  const appExists = async () => {
    appKnown ||= await askForApp()
    return appKnown
  }
  return {
    ...certificates(options),
    ...volumes(options),
    ...power(options),
    ...fleet(options, appExists),
    appExists,
    createApp: () =>
      orExisting(client.appCreate({ name: app, org_slug: org }), ['nameTaken'], () => client.appGet(app)),
    machine: async (id) => {
      const found = await orNothing(client.machineGet(app, id))
      return found === undefined ? undefined : observedMachine(found, naming)
    },
    machinesOf: async (uid) =>
      alive(await client.machineList(app, { metadata: { ...stamp, [metadataKeys.uid]: uid } }), naming),
    createMachine: async ({ name, region }, config) =>
      mustLive(await client.machineCreate(app, { name, region, config: config as object }), 'machineCreate', naming),
    updateMachine: async (id, version, wanted, launch) => {
      const { config } = await client.machineGet(app, id)
      // Without the live configuration, what others have set would be lost.
      if (config === undefined)
        throw new Fault('hostDown', `Fly does not show the configuration of machine ${id} now.`, { call: 'machineGet' })
      const request = {
        config: mergedConfig(config, wanted as FlyMachineConfig),
        current_version: version,
        ...(launch ? {} : { skip_launch: true }),
      }
      return mustLive(await client.machineUpdate(app, id, request), 'machineUpdate', naming)
    },
    stampMachine: (id, version, values) => client.machineMetadataPatch(app, id, { values, version }),
  }
}
