// Ports for many tenants at once: a store in memory, the real guards over a store in memory, any cloud.
import type { Cloud, Ports, TenantSink } from '../../reconciler/ports.ts'
import { Keeper, type KeeperOptions } from '../../reconciler/guards/keeper.ts'
import type { FleetState, FleetWish, GuardStore } from '../../reconciler/guards/state.ts'
import type { KnownMachine } from '../../reconciler/guards/suspicion.ts'
import type { LedgerEntry } from '../../reconciler/guards/view.ts'
import type { Clock } from '../../specs/clock.ts'
import type { Tenant } from '../../specs/tenant.ts'
import { platform, standard, tenantWith } from './tenants.ts'
import { wordlessSleeper } from './sleepers.ts'

export interface MemoryGuardStore extends GuardStore {
  wish: FleetWish
  state: FleetState | undefined
  readonly entries: LedgerEntry[]
  tenants: number
  machines: readonly KnownMachine[]
}

export function memoryGuardStore(): MemoryGuardStore {
  return {
    wish: { mode: 'normal' },
    state: undefined,
    entries: [],
    tenants: 0,
    machines: [],
    async load(since) {
      const { wish, state, tenants, machines } = this
      return { wish, state, ledger: this.entries.filter(({ at }) => at > since), tenants, machines }
    },
    async liveTenants() {
      return this.tenants
    },
    async charge(entry) {
      this.entries.push(entry)
    },
    async saveState(state) {
      this.state = state
    },
  }
}

export function keeperOver(clock: Clock, store: GuardStore, more: Partial<KeeperOptions> = {}): Keeper {
  return new Keeper({
    clock,
    store,
    mode: 'normal',
    scale: 1,
    guestOf: () => standard.guest,
    wake: () => {},
    leads: () => true,
    failed: (error) => {
      throw error
    },
    ...more,
  })
}

export interface FleetOfTenants {
  readonly tenants: Map<string, Tenant>
  readonly ports: Ports
  /** What an API does: changes a tenant's wish. */
  change(uid: string, part: Partial<Tenant>): void
}

const letters = 'abcdefghijklmnopqrstuvwxyz'

/** A uid as Moorage makes them, by number. */
export function uidOf(index: number): string {
  const tail = [index, index / 26, index / 676].map((part) => letters[Math.floor(part) % 26]).join('')
  return `tenanttenant${tail}a`
}

export function fleetOf(
  count: number,
  { clock, cloud, guards }: { readonly clock: Clock; readonly cloud: Cloud; readonly guards: Ports['guards'] },
): FleetOfTenants {
  const tenants = new Map(
    Array.from({ length: count }, (_, index): [string, Tenant] => {
      const uid = uidOf(index)
      return [uid, tenantWith({}, { uid, name: `t${index}` })]
    }),
  )
  const sinks = new Set<TenantSink>()
  const write = (tenant: Tenant) => {
    const stored = JSON.parse(JSON.stringify(tenant)) as Tenant
    tenants.set(tenant.uid, stored)
    for (const sink of sinks) sink.changed(stored)
    return stored
  }
  const ports: Ports = {
    cloud,
    guards,
    clock,
    activity: { lastUsedAt: () => Promise.resolve(undefined), sleep: () => Promise.resolve(true) },
    store: {
      get: async (uid) => tenants.get(uid),
      uids: async () => [...tenants.keys()],
      saveStatus: async (tenant, status) =>
        tenants.get(tenant.uid)?.revision === tenant.revision
          ? write({ ...tenant, status, revision: tenant.revision + 1 })
          : undefined,
      purge: async ({ uid }) => tenants.delete(uid),
      claimsOf: async () => [],
      watch: async (sink) => {
        sinks.add(sink)
        return { close: async () => void sinks.delete(sink) }
      },
    },
    probe: { ask: async ({ id }) => ({ kind: 'ready', boot: id }) },
    sleeper: wordlessSleeper,
    secrets: {
      gatewayToken: () => 'gateway',
      bridgeKey: () => new Uint8Array(32),
      llmToken: async () => 'llm',
    },
    journal: {
      note: () => {},
      defect: (_uid, error) => {
        throw error
      },
    },
    settings: platform,
    classOf: () => standard,
    seen: () => [],
    term: () => 1,
  }
  return {
    tenants,
    ports,
    change: (uid, part) => {
      const tenant = tenants.get(uid)
      if (tenant === undefined) throw new Error(`no tenant ${uid}`)
      write({ ...tenant, ...part, generation: tenant.generation + 1, revision: tenant.revision + 1 })
    },
  }
}
