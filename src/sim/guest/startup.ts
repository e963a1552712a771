// How long a stand-in gateway takes to come up, as openclaw.md measured the real one: pure, and the same for one tenant each time.
import { createHash } from 'node:crypto'

export interface Startup {
  /** From the start until the gateway's port opens, in milliseconds. */
  readonly opensAfterMs: number
  /** From the start until /startupz is 200. */
  readonly readyAfterMs: number
}

/** A number in [0, 1) that depends on the text only. */
function share(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0) / 2 ** 32
}

/** 12 to 20 s on a fresh volume, 8 s on a used one; the port opens 1 to 6 s before that. */
export function startupOf(uid: string, fresh: boolean, scale: number): Startup {
  const ready = fresh ? 12_000 + 8_000 * share(`ready ${uid}`) : 8_000
  const before = 1_000 + 5_000 * share(`open ${uid}`)
  return { opensAfterMs: (ready - before) * scale, readyAfterMs: ready * scale }
}
