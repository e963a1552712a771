// The lease: one controller at a time, with a term that rises with each change of holder. Expiry is judged by the local
// clock since the lease was last seen to move, so that two machines' clocks need not agree.
import type { Collection, Db } from 'mongodb'
import type { Clock, Instant } from '../../specs/clock.ts'

interface LeaseRecord {
  readonly _id: string
  readonly holder: string
  readonly term: number
  /** +1 with each renewal. */
  readonly renewals: number
}

export interface LeaseOptions {
  readonly db: Db
  readonly name: string
  /** Unique for each process and start. */
  readonly holder: string
  readonly clock: Clock
  /** A lease that has not moved for so long may be taken. */
  readonly ttlMs: number
  readonly renewMs: number
  /** Nobody else can use the database, so a former holder is dead for sure. */
  readonly uncontested: boolean
  /** Hears of every gain, loss and failure. */
  readonly changed: (state: 'held' | 'lost', term: number) => void
  readonly failed: (error: unknown) => void
}

export class Lease {
  readonly #options: LeaseOptions
  readonly #collection: Collection<LeaseRecord>
  #seen: { record: LeaseRecord; at: Instant } | undefined
  #held: { term: number; until: Instant } | undefined
  #cancel = () => {}
  #closed = false
  #turn: Promise<void> = Promise.resolve()

  constructor(options: LeaseOptions) {
    this.#options = options
    this.#collection = options.db.collection<LeaseRecord>('leases')
  }

  /** The term while the lease is surely held; undefined otherwise, also when a renewal is overdue. */
  get term(): number | undefined {
    return this.termFor(0)
  }

  /** The term where the lease is surely held for another `spareMs`, so that a call begun now ends before it does. */
  termFor(spareMs: number): number | undefined {
    const held = this.#held
    return held !== undefined && this.#options.clock.now() + spareMs < held.until ? held.term : undefined
  }

  /** Tries for the lease now and keeps trying. */
  async start(): Promise<void> {
    await this.#tick()
  }

  /** Gives the lease up, so that the next holder need not wait for its end. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancel()
    await this.#turn
    const { name, holder } = this.#options
    if (this.#held !== undefined) await this.#collection.updateOne({ _id: name, holder }, { $set: { holder: '' } })
    this.#held = undefined
  }

  #tick(): Promise<void> {
    this.#turn = this.#attempt().then(() => {
      if (this.#closed) return
      this.#cancel = this.#options.clock.after(this.#options.renewMs, () => void this.#tick())
    })
    return this.#turn
  }

  async #attempt(): Promise<void> {
    const { clock, ttlMs, changed, failed } = this.#options
    const before = this.#held
    try {
      const asked = clock.now()
      const record = await this.#renew()
      this.#held = record === undefined ? undefined : { term: record.term, until: asked + ttlMs * 0.8 }
    } catch (error) {
      failed(error)
    }
    if (before?.term !== this.#held?.term) changed(this.#held === undefined ? 'lost' : 'held', this.#held?.term ?? 0)
  }

  async #renew(): Promise<LeaseRecord | undefined> {
    const { name, holder, clock, ttlMs, uncontested } = this.#options
    const current = await this.#collection.findOne({ _id: name })
    if (current === null) return this.#create()
    if (current.holder === holder) return this.#move(current, current.term)
    const known = this.#seen?.record
    if (known?.term !== current.term || known.renewals !== current.renewals)
      this.#seen = { record: current, at: clock.now() }
    const free = uncontested || current.holder === '' || clock.now() - (this.#seen?.at ?? clock.now()) > ttlMs
    return free ? this.#move(current, current.term + 1) : undefined
  }

  /** One compare-and-set: whoever moves the record first has it. */
  async #move({ _id, term, renewals }: LeaseRecord, nextTerm: number): Promise<LeaseRecord | undefined> {
    const next = { holder: this.#options.holder, term: nextTerm, renewals: renewals + 1 }
    const moved = await this.#collection.findOneAndUpdate(
      { _id, term, renewals },
      { $set: next },
      { returnDocument: 'after' },
    )
    return moved ?? undefined
  }

  async #create(): Promise<LeaseRecord | undefined> {
    const record = { _id: this.#options.name, holder: this.#options.holder, term: 1, renewals: 1 }
    const result = await this.#collection.updateOne({ _id: record._id }, { $setOnInsert: record }, { upsert: true })
    return result.upsertedCount === 1 ? record : undefined
  }
}
