// Drift: how a live machine differs from the wish, and what mending it costs. Pure.
import { metadataKeys } from '../specs/names.ts'
import type { Wish } from './decision.ts'
import type { ObservedMachine } from './observed.ts'

/** `metadata` is mended in place; `restart` needs an update, which restarts a running machine. */
export type Drift = 'none' | 'metadata' | 'restart'

/**
 * What the machine's metadata says it was made from is compared first, then what it really runs. A hash of another
 * version says nothing: then the content alone decides, so that a new controller never restarts the fleet.
 */
export function driftOf({ metadata, contentHash }: ObservedMachine, wish: Wish): Drift {
  const sameVersion = metadata[metadataKeys.hashVersion] === wish.metadata[metadataKeys.hashVersion]
  const sameWish = metadata[metadataKeys.specHash] === wish.specHash
  if (contentHash !== wish.contentHash || (sameVersion && !sameWish)) return 'restart'
  const stale = Object.entries(wish.metadata).some(([key, value]) => metadata[key] !== value)
  return stale ? 'metadata' : 'none'
}
