// How long things take on Fly, in unscaled milliseconds, and one seeded stream of draws per kind of wait.

/** Each range with its source; "seed" is the text this project grew from, "docs" Fly's own documentation. */
const ranges = {
  read: [20, 60], // assumed: one round trip to the API
  write: [100, 250], // assumed: a change that is only recorded
  appCreate: [500, 1_000], // assumed
  volumeCreate: [2_000, 3_000], // seed
  volumeCopy: [3_000, 6_000], // assumed: a fork or a restore, besides the copying itself
  machineCreate: [5_000, 10_000], // seed: the call itself
  coldStart: [10_000, 15_000], // seed: from the create's answer to `started`; three quarters are the image pull
  start: [1_700, 2_300], // docs: a stopped machine starts in about two seconds
  resume: [250, 350], // docs: a few hundred milliseconds
  stop: [1_700, 2_300], // assumed
  suspend: [800, 1_200], // assumed for 2 GB; the forum reports more than 15 s for much memory
  restart: [3_400, 4_600], // a stop and a start
  replace: [15_000, 20_000], // docs: warm-pool guide, "about 20 s" for an update
  update: [1_500, 2_500], // assumed: an update of a machine that does not run
  destroy: [1_000, 2_000], // assumed
  activeLag: [200, 400], // measured by others: reads stopped, still refuses a start
  unbindLag: [2_000, 60_000], // measured by others: up to 1-2 minutes; skewed to the short end below
  listLag: [0, 15_000], // only under the fault `listLag`
  exec: [200, 400], // assumed
  install: [10_000, 15_000], // seed: system packages for Chromium
  snapshot: [2_000, 5_000], // assumed for 1 GB
  certificate: [1_000, 2_000], // seed
} as const

/** A kind of wait. */
export type Wait = keyof typeof ranges

/** A small hash of a text, as the seed of a stream. */
export function hash(text: string): number {
  let value = 0x811c9dc5
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193) >>> 0
  return value
}

/** Mulberry32: numbers in [0, 1), the same for the same seed. */
export function stream(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Draws waits. Each kind has its own stream, so that one more read does not change every later create. */
export class Latency {
  readonly scale: number
  readonly #seed: number
  readonly #streams = new Map<string, () => number>()

  constructor(scale: number, seed: number) {
    this.scale = scale
    this.#seed = seed
  }

  /** The next number in [0, 1) of a named stream. */
  random(name: string): number {
    let next = this.#streams.get(name)
    if (next === undefined) {
      next = stream(hash(`${this.#seed}/${name}`))
      this.#streams.set(name, next)
    }
    return next()
  }

  /** A wait as it would be on Fly, in milliseconds. */
  unscaled(wait: Wait): number {
    const [least, most] = ranges[wait]
    const drawn = this.random(wait)
    return least + (most - least) * (wait === 'unbindLag' ? drawn ** 3 : drawn)
  }

  /** The same wait in this simulator's milliseconds. */
  draw(wait: Wait): number {
    return Math.round(this.unscaled(wait) * this.scale)
  }

  /** A wait that belongs to one object and stays the same for it. */
  of(wait: Wait, id: string): number {
    const [least, most] = ranges[wait]
    return Math.round((least + (most - least) * stream(hash(`${this.#seed}/${wait}/${id}`))()) * this.scale)
  }
}
