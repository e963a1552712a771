// The last changes of something watched, each with its place, for all who follow them: who was away for a moment goes on where
// they were. A place is the process's own; one of another process, or of too long ago, is not known.
import type { Clock } from '../../specs/clock.ts'

export interface Placed<T> {
  readonly position: number
  readonly change: T
}

/** Hears of changes; undefined: some were missed, and nobody's place counts any more. */
export type Listener<T> = (placed: Placed<T> | undefined) => void

const mostKept = 5_000

export class Backlog<T> {
  readonly #clock: Pick<Clock, 'bytes'>
  readonly #listeners = new Set<Listener<T>>()
  #kept: Placed<T>[] = []
  #position = 0
  /** Tells this process's places from another's. */
  #epoch: string

  constructor(clock: Pick<Clock, 'bytes'>) {
    this.#clock = clock
    this.#epoch = this.#newEpoch()
  }

  get position(): number {
    return this.#position
  }

  /** A position as a reader gives it back. */
  place(position: number): string {
    return `${this.#epoch}.${position}`
  }

  /** The changes after a place; undefined where they are not known any more. */
  since(place: string): readonly Placed<T>[] | undefined {
    const [epoch, text = ''] = place.split('.')
    const position = /^\d{1,15}$/.test(text) ? Number(text) : -1
    const oldest = this.#position - this.#kept.length
    if (epoch !== this.#epoch || position < oldest || position > this.#position) return undefined
    return this.#kept.slice(position - oldest)
  }

  /** Tells of every change from now on, until the answer is called. */
  listen(listener: Listener<T>): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  add(change: T): void {
    this.#position += 1
    const placed = { position: this.#position, change }
    this.#kept.push(placed)
    if (this.#kept.length > mostKept) this.#kept = this.#kept.slice(-mostKept / 2)
    for (const listener of this.#listeners) listener(placed)
  }

  /** Changes were missed: all begin anew. */
  forget(): void {
    this.#kept = []
    this.#epoch = this.#newEpoch()
    for (const listener of this.#listeners) listener(undefined)
  }

  #newEpoch(): string {
    return Buffer.from(this.#clock.bytes(6)).toString('hex')
  }
}
