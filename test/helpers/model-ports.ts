// The reconciler's ports over the model world and an in-memory store, with every call to the outside counted, so that a
// test can pull the plug before it, after it, or make it fail.
import { VirtualClock } from './virtual-clock.ts'
import { applyStep, emptyWorld, passTime, type ModelWorld, type Source } from './model.ts'
import { modelSleeper, type ModelSleeper } from './sleepers.ts'
import { platform, standard } from './tenants.ts'
import { contentHash, type FlyMachineConfig } from '../../boot/machine.ts'
import type { Created } from '../../reconciler/execute.ts'
import { openGuards } from '../../reconciler/guards/keeper.ts'
import type { Cloud, JournalEntry, Ports, TenantStore } from '../../reconciler/ports.ts'
import type { Step } from '../../reconciler/step.ts'
import type { Tenant } from '../../specs/tenant.ts'

/** The plug was pulled: nothing of the process goes on. */
export class Crash extends Error {}

export interface Outside {
  world: ModelWorld
  tenant: Tenant
  /** The names of the calls so far, in order. */
  readonly calls: string[]
  /** Changes that reached the cloud. */
  readonly mutations: string[]
  readonly journal: JournalEntry[]
  readonly clock: VirtualClock
  /** How long a list does not show what was created, in milliseconds. */
  lagMs: number
  /** The tenant's document is a tombstone. */
  purged: boolean
  /** Other tenants whose record names the volume, and machines that the fleet's list showed. */
  claims: string[]
  lastUsedAt: number | undefined
  seen: string[]
  readonly sleeper: ModelSleeper
  /** Called around each call; throwing there is the crash or the fault. */
  trip(call: string, moment: 'before' | 'after'): void
  pass(): void
}

export function outsideOf(tenant: Tenant): Outside {
  const clock = new VirtualClock()
  const outside: Outside = {
    world: emptyWorld(),
    tenant,
    calls: [],
    mutations: [],
    journal: [],
    clock,
    sleeper: modelSleeper(clock, (name) => {
      outside.calls.push(name)
      outside.trip(name, 'before')
    }),
    lagMs: 0,
    purged: false,
    claims: [],
    lastUsedAt: undefined,
    seen: [],
    trip: () => {},
    pass() {
      this.world = passTime(this.world)
    },
  }
  return outside
}

async function call<T>(outside: Outside, name: string, effect: () => T): Promise<T> {
  outside.calls.push(name)
  outside.trip(name, 'before')
  const result = effect()
  outside.trip(name, 'after')
  return result
}

function storeOver(outside: Outside): TenantStore {
  return {
    get: () => call(outside, 'store.get', () => (outside.purged ? undefined : outside.tenant)),
    uids: () => call(outside, 'store.uids', () => [outside.tenant.uid]),
    saveStatus: (tenant, status) =>
      call(outside, 'store.saveStatus', () => {
        if (tenant.revision !== outside.tenant.revision) return undefined
        const stored = JSON.parse(JSON.stringify(status)) as typeof status
        outside.tenant = { ...outside.tenant, status: stored, revision: tenant.revision + 1 }
        return outside.tenant
      }),
    purge: (tenant) =>
      call(outside, 'store.purge', () => {
        if (tenant.revision !== outside.tenant.revision) return false
        outside.purged = true
        return true
      }),
    claimsOf: () => call(outside, 'store.claimsOf', () => outside.claims),
    watch: () => Promise.resolve({ close: () => Promise.resolve() }),
  }
}

function sourceIn(config: unknown): Source {
  const { metadata } = config as FlyMachineConfig
  return { metadata, contentHash: contentHash(config as FlyMachineConfig) }
}

function cloudOver(outside: Outside): Cloud {
  const change = (step: Step, from?: Source): Promise<Created> =>
    call(outside, step.kind, () => {
      outside.mutations.push(step.kind)
      const known = new Set(outside.world.volumes.map(({ id }) => id))
      const { world, created } = applyStep(outside.world, step, from)
      const createdAt = outside.clock.now()
      const volumes = world.volumes.map((volume) => (known.has(volume.id) ? volume : { ...volume, createdAt }))
      outside.world = { ...world, volumes }
      return created
    })
  const changed = async (step: Step): Promise<void> => {
    await change(step)
  }
  const made = <T>(part: T | undefined): T => {
    if (part === undefined) throw new Error('the model made nothing')
    return part
  }
  return {
    appExists: () => call(outside, 'appExists', () => outside.world.app === 'present'),
    createApp: () => changed({ kind: 'createApp' }),
    machine: (id) => call(outside, 'machine', () => outside.world.machines.find((machine) => machine.id === id)),
    machinesOf: () => call(outside, 'machinesOf', () => outside.world.machines),
    volume: (id) => call(outside, 'volume', () => outside.world.volumes.find((volume) => volume.id === id)),
    volumesNamed: (name) =>
      call(outside, 'volumesNamed', () =>
        outside.world.volumes.filter(
          (volume) => volume.name === name && volume.createdAt + outside.lagMs <= outside.clock.now(),
        ),
      ),
    certificate: (host) => call(outside, 'certificate', () => outside.world.certificates[host] ?? 'absent'),
    createVolume: async (step) => made((await change(step)).volume),
    createMachine: async (step, config) => made((await change(step, sourceIn(config))).machine),
    updateMachine: async (id, version, config, launch) => {
      await change({ kind: 'updateMachine', id, version, incarnation: 0, volume: '', launch }, sourceIn(config))
      return made(outside.world.machines.find((machine) => machine.id === id))
    },
    extendVolume: (id, sizeGb) => changed({ kind: 'extendVolume', id, sizeGb }),
    startMachine: (id) => changed({ kind: 'startMachine', id }),
    reached: () => Promise.resolve(false),
    suspendMachine: (id) => changed({ kind: 'suspendMachine', id }),
    stopMachine: (id) => changed({ kind: 'stopMachine', id }),
    destroyMachine: (id) => changed({ kind: 'destroyMachine', id, region: 'iad', why: 'deleted' }),
    snapshots: () => call(outside, 'snapshots', () => outside.world.snapshots),
    snapshotVolume: (id) => changed({ kind: 'snapshotVolume', id }),
    destroyVolume: (id) => changed({ kind: 'destroyVolume', id }),
    stampMachine: (id, version, metadata) => changed({ kind: 'stampMachine', id, version, metadata }),
    exec: async (id) => {
      await change({ kind: 'prepareMachine', id, boot: '' })
      return { exitCode: 0, said: '' }
    },
    requestCertificate: (host) => changed({ kind: 'requestCertificate', host }),
    deleteCertificate: (host) => changed({ kind: 'deleteCertificate', host }),
    survey: () => Promise.reject(new Error('the model has no configurations')),
    fleet: () =>
      call(outside, 'fleet', () => ({
        at: outside.clock.now(),
        machines: outside.world.machines,
        volumes: outside.world.volumes,
      })),
  }
}

/** Ports that reach nothing but the model. */
export function portsOver(outside: Outside): Ports {
  return {
    cloud: cloudOver(outside),
    store: storeOver(outside),
    activity: {
      lastUsedAt: () => call(outside, 'activity.lastUsedAt', () => outside.lastUsedAt),
      sleep: (_uid, at) => call(outside, 'activity.sleep', () => (outside.lastUsedAt ?? 0) <= at),
    },
    probe: { ask: () => call(outside, 'probe', () => outside.world.guest) },
    sleeper: outside.sleeper,
    secrets: {
      gatewayToken: () => 'gateway',
      bridgeKey: () => new Uint8Array(32),
      llmToken: () => Promise.resolve('llm'),
    },
    clock: outside.clock,
    journal: {
      note: (entry) => void outside.journal.push(entry),
      defect: (_uid, error) => {
        throw error
      },
    },
    settings: platform,
    classOf: () => standard,
    guards: openGuards(),
    seen: () => outside.seen,
    term: () => 1,
  }
}
