// Volumes as they were read lately: Fly lets one be read once a second, and a claim looks at its own four times in that.
import type { ObservedVolume } from '../../reconciler/observed.ts'
import type { Clock, Instant } from '../../specs/clock.ts'

/** Nobody asks for older ones. */
const longestMs = 10_000

export class RecentVolumes {
  readonly #clock: Pick<Clock, 'now'>
  /** In the order of their reading. */
  readonly #read = new Map<string, { readonly at: Instant; readonly volume: ObservedVolume }>()

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock
  }

  find(id: string, ageMs: number): ObservedVolume | undefined {
    const known = this.#read.get(id)
    return known !== undefined && this.#clock.now() - known.at < Math.min(ageMs, longestMs) ? known.volume : undefined
  }

  /** What is on its way to another state is not kept. */
  take(volume: ObservedVolume): ObservedVolume {
    this.forget(volume.id)
    if (volume.state === 'ready') this.#read.set(volume.id, { at: this.#clock.now(), volume })
    for (const [id, { at }] of this.#read) {
      if (this.#clock.now() - at < longestMs) break
      this.#read.delete(id)
    }
    return volume
  }

  forget(id: string): void {
    this.#read.delete(id)
  }
}
