// The recorder: takes events without ever making anybody wait, and writes them in batches. What it cannot keep it drops
// and counts: events are for people who look on, and nothing is decided by them.
import type { Clock } from '../../specs/clock.ts'
import { folds, type EventRecord, type TenantEvent } from './event.ts'

export interface RecorderLog {
  warn(fields: object, message: string): void
}

export interface RecorderOptions {
  readonly clock: Clock
  readonly log: RecorderLog
  /** Writes a batch; a record that was written before is left as it is, and one that folds is added to its like. */
  readonly write: (batch: readonly EventRecord[]) => Promise<void>
  /** Records kept in memory while they cannot be written. */
  readonly most?: number
}

const flushMs = 1_000
const retryMs = 10_000
const mostKept = 2_000
const mostAtOnce = 500

/** One for what is the same, so that a tenant that fails a hundred times a second is one record. */
function keyOf({ uid, kind, reason, step, message, who }: TenantEvent, unique: string): string {
  return JSON.stringify([uid, kind, reason, step, message, who, folds(kind) ? '' : unique])
}

function merged(before: EventRecord | undefined, event: TenantEvent, id: string): EventRecord {
  const { at, ...rest } = event
  if (before === undefined) return { ...rest, id, firstAt: at, lastAt: at, count: 1 }
  return { ...before, ...rest, lastAt: Math.max(before.lastAt, at), count: before.count + 1 }
}

export class Recorder {
  readonly #options: RecorderOptions
  readonly #most: number
  #pending = new Map<string, EventRecord>()
  #dropped = 0
  #droppedEver = 0
  #failing = false
  #closed = false
  #cancel: (() => void) | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(options: RecorderOptions) {
    this.#options = options
    this.#most = options.most ?? mostKept
  }

  /** Events that were lost since the start. */
  get dropped(): number {
    return this.#droppedEver
  }

  /** Takes one event; synchronous, and never throws. */
  note(event: TenantEvent): void {
    if (this.#closed) return
    const id = Buffer.from(this.#options.clock.bytes(12)).toString('hex')
    const key = keyOf(event, id)
    const before = this.#pending.get(key)
    if (before === undefined && this.#pending.size >= this.#most) {
      this.#drop(1)
      return
    }
    this.#pending.set(key, merged(before, event, id))
    this.#arm(flushMs)
  }

  /** Writes what is left, if it can be written, and takes no more. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancel?.()
    await this.#writing
    await this.#flush()
  }

  #arm(delayMs: number): void {
    if (this.#cancel !== undefined) return
    this.#cancel = this.#options.clock.after(delayMs, () => {
      this.#writing = this.#flush().then(() => {
        this.#cancel = undefined
        if (this.#pending.size > 0 && !this.#closed) this.#arm(this.#failing ? retryMs : flushMs)
      })
    })
  }

  /** Never rejects. */
  async #flush(): Promise<void> {
    while (this.#pending.size > 0) {
      const batch = [...this.#pending].slice(0, mostAtOnce)
      for (const [key] of batch) this.#pending.delete(key)
      if (!(await this.#write(batch))) return
    }
  }

  async #write(batch: readonly (readonly [string, EventRecord])[]): Promise<boolean> {
    try {
      await this.#options.write(batch.map(([, record]) => record))
    } catch (error) {
      this.#keep(batch)
      if (!this.#failing) this.#options.log.warn({ err: error }, 'events cannot be written; they are kept for now')
      this.#failing = true
      return false
    }
    this.#failing = false
    if (this.#dropped > 0) this.#options.log.warn({ dropped: this.#dropped }, 'events were lost')
    this.#dropped = 0
    return true
  }

  #drop(count: number): void {
    this.#dropped += count
    this.#droppedEver += count
  }

  /** Back in front of what has come since. */
  #keep(batch: readonly (readonly [string, EventRecord])[]): void {
    const since = this.#pending
    this.#pending = new Map(batch)
    for (const [key, record] of since) {
      const before = this.#pending.get(key)
      if (before === undefined && this.#pending.size >= this.#most) this.#drop(record.count)
      else this.#pending.set(key, before === undefined ? record : joined(before, record))
    }
  }
}

function joined(before: EventRecord, after: EventRecord): EventRecord {
  return { ...after, id: before.id, firstAt: before.firstAt, count: before.count + after.count }
}
