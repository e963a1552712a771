// Watching tenants by server-sent events: first who is there, then what changes, whole or as the columns of a list.
import type { Context } from 'koa'
import type { Tenant } from '../../specs/tenant.ts'
import { selects, type Selection } from '../store/selection.ts'
import { noticeOf } from './feed.ts'
import type { Feeds } from './feeds.ts'
import { limitOf } from './limited.ts'
import { isPrinted, rowOf, tenantColumns, type Output } from './print.ts'
import type { ApiOptions } from './server.ts'
import { follow, type Told } from './stream.ts'
import { tenantView } from './view.ts'

export interface WatchRoutes extends Pick<ApiOptions, 'clock'> {
  readonly feeds: Feeds
}

export interface WatchedTenants extends Selection {
  readonly output: Output
}

/** To a limited caller only its tenants are there: what its selector says is asked for besides. */
function within(context: Context, { labels = [], fields }: Selection): Selection {
  return { labels: [...labels, ...(limitOf(context) ?? [])], fields }
}

/** Answers with a stream of changes. */
export async function watchTenants(
  { feeds, clock }: WatchRoutes,
  context: Context,
  { output, ...asked }: WatchedTenants,
): Promise<void> {
  const selection = within(context, asked)
  const feed = await feeds.tenants(context)
  const shown = (tenant: Tenant) =>
    isPrinted(output) ? rowOf(tenant, tenant.name, tenantColumns(clock.now())) : tenantView(tenant)
  await follow(context, clock, {
    backlog: feed.backlog,
    present: () =>
      feed
        .all()
        .filter((tenant) => selects(selection, tenant))
        .map((tenant) => (): Told => ({ type: 'ADDED', data: shown(tenant) })),
    notice: (change) => {
      const notice = noticeOf(change, selection)
      return notice && { type: notice.type, data: shown(notice.tenant) }
    },
  })
}
