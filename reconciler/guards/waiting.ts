// Who waits for what of the fleet, to be woken as soon as it is over.

export class Waiting {
  readonly #wake: (uid: string) => void
  readonly #byKey = new Map<string, Set<string>>()

  constructor(wake: (uid: string) => void) {
    this.#wake = wake
  }

  add(key: string, uid: string): void {
    const waiting = this.#byKey.get(key)
    if (waiting === undefined) this.#byKey.set(key, new Set([uid]))
    else waiting.add(uid)
  }

  /** Wakes everybody who waits for one of these, once. */
  wake(keys: readonly string[]): void {
    const woken = new Set(keys.flatMap((key) => [...(this.#byKey.get(key) ?? [])]))
    for (const key of keys) this.#byKey.delete(key)
    for (const uid of woken) this.#wake(uid)
  }

  clear(): void {
    this.#byKey.clear()
  }
}
