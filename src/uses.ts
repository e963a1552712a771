// Who is used, from the proxy to the store: uses are gathered and written together, seldom, and a wish to be woken at once.
// Nobody waits for it; while the store is away it keeps what it was told, within bounds.
import type { Activity as Told, ProxyLog } from '../proxy/ports.ts'
import type { Clock, Instant } from '../specs/clock.ts'
import type { Activity } from './store/activity.ts'

export type ActivityStore = Pick<Activity, 'used' | 'wake'>

export interface UsesOptions {
  readonly clock: Pick<Clock, 'now' | 'after'>
  readonly log: Pick<ProxyLog, 'warn'>
  /** Tenants that are kept in memory until they are written. */
  readonly most?: number
}

/** Far below the shortest idle policy, which is a minute. */
const flushMs = 15_000
const mostKept = 50_000
/** For the last write before the store goes. */
const patienceMs = 3_000

export class Uses implements Told {
  readonly #options: UsesOptions
  readonly #most: number
  #store: ActivityStore | undefined
  #pending = new Map<string, Instant>()
  /** Being written now. */
  #writing: ReadonlyMap<string, Instant> = new Map()
  /** Wakes under way, so that each tenant has one at a time. */
  readonly #waking = new Map<string, Promise<void>>()
  /** Wakes that could not be written yet. */
  #unwoken = new Map<string, Instant>()
  #flushing: Promise<void> = Promise.resolve()
  #dropped = 0
  #failing = false
  #closed = false
  #cancel: (() => void) | undefined

  constructor(options: UsesOptions) {
    this.#options = options
    this.#most = options.most ?? mostKept
  }

  /** From now on it is written there; what has been kept, at once. */
  attach(store: ActivityStore): void {
    this.#store = store
    if (this.#pending.size + this.#unwoken.size > 0) void this.#flush()
  }

  /** Writes what there is, and then no more until there is a store again. */
  async detach(): Promise<void> {
    await this.#lastFlush()
    this.#store = undefined
  }

  /** Writes what is left, if it can be written, and takes no more. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancel?.()
    await this.#lastFlush()
  }

  used(uid: string): void {
    this.#keep(this.#pending, uid, this.#options.clock.now())
  }

  wake(uid: string): void {
    if (!this.#closed) this.#wake(uid, this.#options.clock.now())
  }

  canWake(): boolean {
    return this.#store !== undefined && !this.#failing
  }

  unwritten(uid: string): boolean {
    return this.#pending.has(uid) || this.#writing.has(uid)
  }

  #wake(uid: string, at: Instant): void {
    if (this.#waking.has(uid)) return
    if (this.#store === undefined) this.#keep(this.#unwoken, uid, at)
    else this.#waking.set(uid, this.#writeWake(this.#store, uid, at))
  }

  #keep(kept: Map<string, Instant>, uid: string, at: Instant): void {
    if (this.#closed) return
    if (kept.size >= this.#most && !kept.has(uid)) {
      this.#dropped += 1
      return
    }
    kept.set(uid, at)
    this.#cancel ??= this.#options.clock.after(flushMs, () => {
      this.#cancel = undefined
      void this.#flush()
    })
  }

  /** One at a time; never rejects. */
  #flush(): Promise<void> {
    this.#flushing = this.#flushing.then(() => this.#writeAll())
    return this.#flushing
  }

  /** A store that is away does not keep anybody up. */
  async #lastFlush(): Promise<void> {
    const late = Promise.withResolvers<undefined>()
    const cancel = this.#options.clock.after(patienceMs, () => late.resolve(undefined))
    await Promise.race([this.#flush(), late.promise])
    cancel()
  }

  async #writeAll(): Promise<void> {
    const unwoken = this.#unwoken
    this.#unwoken = new Map()
    for (const [uid, at] of unwoken) this.#wake(uid, at)
    await Promise.all([...this.#waking.values(), this.#writeUses()])
  }

  async #writeUses(): Promise<void> {
    const batch = this.#pending
    if (this.#store === undefined || batch.size === 0) return
    this.#pending = new Map()
    this.#writing = batch
    try {
      await this.#store.used(batch)
      this.#succeeded()
    } catch (error) {
      this.#failed(error)
      for (const [uid, at] of batch) if (!this.#pending.has(uid)) this.#keep(this.#pending, uid, at)
    } finally {
      this.#writing = new Map()
    }
  }

  async #writeWake(store: ActivityStore, uid: string, at: Instant): Promise<void> {
    try {
      await store.wake(uid, at)
      this.#succeeded()
    } catch (error) {
      this.#failed(error)
      this.#keep(this.#unwoken, uid, at)
    } finally {
      this.#waking.delete(uid)
    }
  }

  #failed(error: unknown): void {
    if (!this.#failing) this.#options.log.warn({ err: error }, 'who is used cannot be written; it is kept for now')
    this.#failing = true
  }

  #succeeded(): void {
    this.#failing = false
    if (this.#dropped > 0) this.#options.log.warn({ dropped: this.#dropped }, 'some uses were lost')
    this.#dropped = 0
  }
}
