// Watching events by server-sent events: the newest first of all, oldest of them first, then each that comes; one that is the
// same again comes again with its count.
import type { Context } from 'koa'
import { matchesLabels, type LabelSelector } from '../../specs/selector.ts'
import type { EventQuery, Events, KeptEvent } from '../store/events.ts'
import type { Happening } from './event-feed.ts'
import { eventView } from './event-view.ts'
import type { Feeds } from './feeds.ts'
import { limitOf } from './limited.ts'
import { eventColumns, isPrinted, rowOf, type Output } from './print.ts'
import type { ApiOptions } from './server.ts'
import { follow, type Told } from './stream.ts'

export interface EventWatchRoutes extends Pick<ApiOptions, 'clock'> {
  readonly events: Events
  readonly feeds: Feeds
}

export interface WatchedEvents extends Pick<EventQuery, 'uid' | 'uids' | 'tenant' | 'kind' | 'reason' | 'limit'> {
  readonly output?: Output
}

/** Whether an event is asked for; of a tenant that is no more, a limited caller cannot know whether it was his. */
function isMeant(
  { event, labels }: Happening,
  { uid, tenant, kind, reason }: WatchedEvents,
  limit: LabelSelector | undefined,
): boolean {
  if (limit !== undefined && (labels === undefined || !matchesLabels(limit, labels))) return false
  const wanted = { uid, tenant, kind, reason }
  return Object.entries(wanted).every(
    ([name, value]) => value === undefined || event[name as keyof typeof wanted] === value,
  )
}

/** Answers with a stream of events. */
export async function watchEvents(
  { events, feeds, clock }: EventWatchRoutes,
  context: Context,
  watched: WatchedEvents,
): Promise<void> {
  const { output, ...query } = watched
  const limit = limitOf(context)
  const { backlog } = await feeds.events(context)
  const shown = (event: KeptEvent) =>
    isPrinted(output) ? rowOf(event, event.id, eventColumns(clock.now())) : eventView(event)
  /** What the beginning had already, as it was written while that was read. */
  const had = new Map<string, number>()
  await follow(context, clock, {
    backlog,
    present: async () => {
      const found = [...(await events.page(query))].reverse()
      for (const { id, revision } of found) had.set(id, revision)
      return found.map((event) => (): Told => ({ type: 'ADDED', data: shown(event) }))
    },
    notice: (happening) => {
      const { event } = happening
      if (!isMeant(happening, watched, limit) || event.revision <= (had.get(event.id) ?? 0)) return undefined
      return { type: event.revision === 1 ? 'ADDED' : 'MODIFIED', data: shown(event) }
    },
  })
}
