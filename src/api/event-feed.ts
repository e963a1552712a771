// What happens, for those who watch events: one watch of the store for all of them. Each event comes with the labels of its
// tenant, which decide about who may see it.
import type { Clock } from '../../specs/clock.ts'
import type { Tenant } from '../../specs/tenant.ts'
import type { Events, KeptEvent } from '../store/events.ts'
import type { Tenants } from '../store/tenants.ts'
import { Backlog } from './backlog.ts'

export interface Happening {
  readonly event: KeptEvent
  /** Undefined: its tenant is no more. */
  readonly labels: Tenant['labels'] | undefined
}

export interface EventFeedOptions {
  readonly events: Pick<Events, 'watch'>
  readonly tenants: Pick<Tenants, 'get'>
  readonly clock: Pick<Clock, 'bytes'>
  /** Hears when a tenant could not be read; all watchers begin anew then. */
  readonly failed: (error: unknown) => void
}

export interface EventFeed {
  readonly backlog: Backlog<Happening>
  close(): Promise<void>
}

/** Follows the store from now on. Events that are forgotten are not told of. */
export async function openEventFeed({ events, tenants, clock, failed }: EventFeedOptions): Promise<EventFeed> {
  const backlog = new Backlog<Happening>(clock)
  // One after the other, so that the order stays.
  let turn = Promise.resolve()
  const take = async (event: KeptEvent) => {
    try {
      backlog.add({ event, labels: (await tenants.get(event.uid))?.labels })
    } catch (error) {
      backlog.forget()
      failed(error)
    }
  }
  const watch = await events.watch({
    changed: (event) => void (turn = turn.then(() => take(event))),
    missed: () => void (turn = turn.then(() => backlog.forget())),
  })
  return { backlog, close: () => watch.close() }
}
