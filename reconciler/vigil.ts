// Waits with Fly for machines that somebody waits for: no worker is busy with it, and the next look comes at once rather than
// when it would be due. It decides nothing, and whatever it does not hear of is seen at the next look.
import { Fault } from '../specs/faults.ts'
import type { Coming } from './decision.ts'
import type { Cloud } from './ports.ts'

/** Each is a call under way; whoever comes after them is looked at when it is due. */
const mostKept = 64

export interface VigilOptions {
  readonly wake: (uid: string) => void
  /** A defect of ours. */
  readonly failed: (uid: string, error: unknown) => void
}

export class Vigil {
  readonly #cloud: Pick<Cloud, 'reached'>
  readonly #told: VigilOptions
  readonly #kept = new Set<string>()
  readonly #over = new AbortController()

  constructor(cloud: Pick<Cloud, 'reached'>, told: VigilOptions) {
    this.#cloud = cloud
    this.#told = told
  }

  /** Wakes the tenant when its machine is there; one call for each tenant at a time. */
  keep(uid: string, coming: Coming): void {
    if (this.#kept.has(uid) || this.#kept.size >= mostKept || this.#over.signal.aborted) return
    this.#kept.add(uid)
    void this.#wait(uid, coming)
  }

  end(): void {
    this.#over.abort()
  }

  async #wait(uid: string, coming: Coming): Promise<void> {
    try {
      const came = await this.#cloud.reached(coming, this.#over.signal)
      if (came && !this.#over.signal.aborted) this.#told.wake(uid)
    } catch (error) {
      // What Fly refuses here it says again at the next look, which is due anyway.
      if (!(error instanceof Fault) && !this.#over.signal.aborted) this.#told.failed(uid, error)
    } finally {
      this.#kept.delete(uid)
    }
  }
}
