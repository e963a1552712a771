// Writes the guards' state down when it differs from what was written last, one write at a time.
import type { FleetState, GuardStore } from './state.ts'

export interface StateWriterOptions {
  readonly store: Pick<GuardStore, 'saveState'>
  readonly state: () => FleetState
  /** Only the process that acts writes. */
  readonly leads: () => boolean
  /** Hears of a write that failed; the next change writes again. */
  readonly failed: (error: unknown) => void
}

export class StateWriter {
  readonly #options: StateWriterOptions
  #written = ''
  #dirty = false
  #writing: Promise<void> | undefined

  constructor(options: StateWriterOptions) {
    this.#options = options
  }

  /** The state may have changed. */
  touch(): void {
    this.#dirty = true
    this.#writing ??= this.#write().finally(() => (this.#writing = undefined))
  }

  /** Resolves when no write is under way. */
  async settled(): Promise<void> {
    await this.#writing
  }

  async #write(): Promise<void> {
    const { store, state, leads, failed } = this.#options
    while (this.#dirty && leads()) {
      this.#dirty = false
      const next = state()
      // The time alone is no news.
      const text = JSON.stringify({ ...next, at: 0 })
      if (text === this.#written) continue
      try {
        await store.saveState(next)
        this.#written = text
      } catch (error) {
        failed(error)
      }
    }
  }
}
