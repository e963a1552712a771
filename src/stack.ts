// What has been started, to be stopped in the opposite order.
import type { Logger } from 'pino'

/** What has been started, to be stopped in the opposite order. */
export class Stack {
  readonly #closers: { name: string; close: () => Promise<void> }[] = []

  add(name: string, close: () => Promise<void>): void {
    this.#closers.push({ name, close })
  }

  /** Stops everything; what cannot be stopped is told and does not keep the rest up. */
  async close(log: Logger): Promise<void> {
    for (const { name, close } of this.#closers.splice(0).reverse()) {
      try {
        await close()
      } catch (error) {
        log.error({ err: error }, `could not stop the ${name}`)
      }
    }
  }
}
