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
  /** Resolves when so many more changes of tenants have been told. */
  tenantChanges(count: number): Promise<void>
  close(): Promise<void>
}

interface Stores {
  readonly tenants: Tenants
  readonly fleet: FleetStore
  readonly activity: Activity
}

export async function openFeeds({ tenants, fleet, activity }: Stores): Promise<Feeds> {
  let listener: Listener | undefined
  let told = 0
  let heard = (): void => undefined
  const count = (): void => {
    told += 1
    heard()
  }
  const fail = (error: unknown): never => {
    throw error
  }
  const watches = await Promise.all([
    tenants.watch({
      changed: (tenant) => {
        count()
        listener?.tenants.changed(tenant)
      },
      removed: (uid) => {
        count()
        listener?.tenants.removed(uid)
      },
      missed: () => listener?.tenants.missed(),
    }),
    fleet.watch((wish) => listener?.wish(wish), fail),
    activity.watch((uid) => listener?.woken(uid)),
  ])
  return {
    listen: (next) => {
      listener = next
    },
    tenantChanges: (more) => {
      const enough = told + more
      return new Promise((resolve) => {
        heard = () => {
          if (told >= enough) resolve()
        }
        heard()
      })
    },
    close: async () => {
      for (const watch of watches) await watch.close()
    },
  }
}
