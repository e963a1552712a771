// How long a new tenant waited for its road, and which way it came to its machine. Pure.
import type { Tenant } from '../specs/tenant.ts'
import type { ServedPath } from './meter.ts'

export interface Served {
  readonly path: ServedPath
  readonly tookMs: number
}

/** Whoever waited longer had other troubles than a machine that was not ready. */
const longestMs = 3_600_000

/** Of the pass that opened the road for the first time; `before` and `after` it. */
export function servedBy({ status: before }: Tenant, { status, claim, createdAt }: Tenant): Served | undefined {
  const { servedSince, awakeSince = 0 } = status
  // An open road without a note is from before there were notes.
  if (before.servedSince !== undefined || before.route.kind === 'forward' || servedSince === undefined) return undefined
  const tookMs = servedSince - (claim?.at ?? Math.max(createdAt, awakeSince))
  return tookMs > longestMs ? undefined : { path: claim?.tier ?? 'cold', tookMs }
}
