// Tenants, classes and rollouts in memory, with the same compare-and-set, for tests that run the same story many times.
import type { StoredClass } from '../../specs/class.ts'
import type { Rollout } from '../../specs/rollout.ts'
import type { Tenant } from '../../specs/tenant.ts'
import type { Stores } from './rollout-process.ts'

const plain = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T

/** Writes `next` under its key if nobody wrote since its revision was read. */
function swap<T extends { readonly revision: number }>(map: Map<string, T>, key: string, next: T): T | undefined {
  if (map.get(key)?.revision !== next.revision) return undefined
  const written = { ...plain(next), revision: next.revision + 1 }
  map.set(key, written)
  return written
}

const closed = { close: () => Promise.resolve() }

/** Stores that begin empty. What no rollout needs is not there. */
export function memoryStores(): Stores {
  const tenants = new Map<string, Tenant>()
  const classes = new Map<string, StoredClass>()
  const rollouts = new Map<string, Rollout>()
  const some = {
    tenants: {
      get: async (uid: string) => tenants.get(uid),
      uids: async () => [...tenants.keys()],
      add: async (tenant: Tenant) => {
        tenants.set(tenant.uid, plain(tenant))
        return 'added' as const
      },
      ofClass: async (name: string) => [...tenants.values()].filter(({ spec }) => spec.class === name),
      saveStatus: async (tenant: Tenant, status: Tenant['status']) => swap(tenants, tenant.uid, { ...tenant, status }),
      watch: async () => closed,
    },
    classes: {
      read: async (name: string) => classes.get(name),
      all: async () => [...classes.values()],
      add: async (found: StoredClass) => classes.set(found.name, found).size > 0,
      save: async (next: StoredClass) => swap(classes, next.name, next),
      watch: async () => closed,
    },
    rollouts: {
      read: async (id: string) => rollouts.get(id),
      newest: async () => [...rollouts.values()].sort((a, b) => b.startedAt - a.startedAt),
      open: async () => [...rollouts.values()].filter(({ state }) => state === 'rolling' || state === 'halted'),
      begin: async (rollout: Rollout) => {
        if (!rollouts.has(rollout.id)) rollouts.set(rollout.id, plain(rollout))
        return rollouts.get(rollout.id)
      },
      save: async (next: Rollout) => swap(rollouts, next.id, next),
      watch: async () => closed,
    },
  }
  return some as unknown as Stores
}
