// Random bytes, drawn in advance: one call to the system for each id would cost a request more than all of its routing.
import type { Clock } from '../specs/clock.ts'

const atOnce = 4_096

/** Gives the next so many random bytes (4,096 at most), none of them twice. */
export function randomPool(clock: Pick<Clock, 'bytes'>): (length: number) => Buffer {
  let pool = Buffer.alloc(0)
  return (length) => {
    if (pool.length < length) pool = Buffer.from(clock.bytes(atOnce))
    const drawn = pool.subarray(0, length)
    pool = pool.subarray(length)
    return drawn
  }
}
