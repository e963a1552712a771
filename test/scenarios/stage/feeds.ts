// The changes of the whole database, told to one stage at a time. Opening a change stream takes the driver a second of real
// time, so scenarios share them.
import type { FleetWish } from '../../../reconciler/guards/state.ts'
import type { TenantSink } from '../../../reconciler/ports.ts'
import type { Activity } from '../../../src/store/activity.ts'
import type { FleetStore } from '../../../src/store/fleet.ts'
import type { Tenants } from '../../../src/store/tenants.ts'

export interface Listener {
  readonly tenants: TenantSink
  readonly wish: (wish: FleetWish) => void
  readonly woken: (uid: string) => void
}

export interface Feeds {
  /** Replaces whoever listened before; undefined: nobody listens. */
  listen(listener: Listener | undefined): void
  close(): Promise<void>
}

interface Stores {
  readonly tenants: Tenants
  readonly fleet: FleetStore
  readonly activity: Activity
}

export async function openFeeds({ tenants, fleet, activity }: Stores): Promise<Feeds> {
  let listener: Listener | undefined
  const fail = (error: unknown): never => {
    throw error
  }
  const watches = await Promise.all([
    tenants.watch({
      changed: (tenant) => listener?.tenants.changed(tenant),
      removed: (uid) => listener?.tenants.removed(uid),
      missed: () => listener?.tenants.missed(),
    }),
    fleet.watch((wish) => listener?.wish(wish), fail),
    activity.watch((uid) => listener?.woken(uid)),
  ])
  return {
    listen: (next) => {
      listener = next
    },
    close: async () => {
      for (const watch of watches) await watch.close()
    },
  }
}
