// Watch a collection: by change stream where the server has them, by comparing revisions every second where it has not.
import { setTimeout as delay } from 'node:timers/promises'
import {
  MongoServerError,
  type ChangeStream,
  type ChangeStreamDocument,
  type Collection,
  type Filter,
  type WithId,
} from 'mongodb'
import { isMassLoss } from '../route-loss.ts'

export interface Versioned {
  readonly _id: string
  readonly revision: number
}

export interface CollectionSink<T> {
  changed(record: T | WithId<T>): void
  removed(id: string): void
  /** Changes may have been missed. */
  missed(): void
}

export interface Watch {
  close(): Promise<void>
}

const pollMs = 1_000
const reopenMs = 500
/** So many may well have been removed one by one between two looks. */
const fewAtOnce = 3

/** 40573: change streams need a replica set. 59, 40324: the server does not know them. */
const withoutStreams = new Set<unknown>([40_573, 59, 40_324])

function forward<T extends Versioned>(change: ChangeStreamDocument<T>, sink: CollectionSink<T>): void {
  switch (change.operationType) {
    case 'insert':
    case 'replace':
      sink.changed(change.fullDocument)
      break
    case 'update':
      // Looked up after the fact: it may be newer than the change, or gone.
      if (change.fullDocument !== undefined) sink.changed(change.fullDocument)
      break
    case 'delete':
      sink.removed(change.documentKey._id)
      break
    case 'drop':
    case 'dropDatabase':
    case 'rename':
    case 'invalidate':
      sink.missed()
      break
    case 'create':
    case 'createIndexes':
    case 'dropIndexes':
    case 'modify':
    case 'refineCollectionShardKey':
    case 'reshardCollection':
    case 'shardCollection':
      break
  }
}

class Watcher<T extends Versioned> implements Watch {
  readonly #collection: Collection<T>
  readonly #sink: CollectionSink<T>
  readonly #stopped = new AbortController()
  #stream: ChangeStream<T, ChangeStreamDocument<T>> | undefined
  #loop: Promise<void> = Promise.resolve()

  constructor(collection: Collection<T>, sink: CollectionSink<T>) {
    this.#collection = collection
    this.#sink = sink
  }

  /** Resolves once changes from now on will be told. */
  async open(): Promise<void> {
    const opened = Promise.withResolvers<undefined>()
    this.#loop = this.#run(() => opened.resolve(undefined)).catch((error: unknown) => opened.reject(error))
    await opened.promise
  }

  async close(): Promise<void> {
    this.#stopped.abort()
    await this.#stream?.close()
    await this.#loop
  }

  async #run(opened: () => void): Promise<void> {
    let first = true
    while (!this.#isStopped()) {
      try {
        await this.#follow(first, opened)
      } catch (error) {
        // A stream that close() ended reports it as an error; a first failure is the caller's to know.
        if (this.#isStopped()) return
        if (first) throw error
        await this.#pause(reopenMs)
      }
      first = false
    }
  }

  /** Follows one stream until it breaks. The driver resumes passing failures itself; what reaches us lost its place. */
  async #follow(first: boolean, opened: () => void): Promise<void> {
    const stream = this.#collection.watch<T, ChangeStreamDocument<T>>([], {
      fullDocument: 'updateLookup',
      maxAwaitTimeMS: 1_000,
    })
    this.#stream = stream
    try {
      // The driver opens the cursor with the first read; only then are changes kept for us. That is so as soon as the server
      // gives a place to resume from: the read itself goes on to wait for a change, for a second.
      const placed = Promise.withResolvers<null>()
      stream.once('resumeTokenChanged', () => placed.resolve(null))
      const pending = stream.tryNext()
      await Promise.race([placed.promise, pending])
      if (!first) this.#sink.missed()
      opened()
      const change = await pending
      if (change !== null) forward(change, this.#sink)
      for await (const next of stream) forward(next, this.#sink)
    } catch (error) {
      if (!(error instanceof MongoServerError) || !withoutStreams.has(error.code)) throw error
      await this.#poll(opened)
    } finally {
      await stream.close()
    }
  }

  async #poll(opened: () => void): Promise<void> {
    let known = await this.#revisions()
    opened()
    while (!this.#isStopped()) {
      await this.#pause(pollMs)
      const seen = await this.#revisions()
      const changed = [...seen].filter(([id, revision]) => known.get(id) !== revision).map(([id]) => id)
      const gone = [...known.keys()].filter((id) => !seen.has(id))
      // What went one by one was removed; so much at once is for whoever reads everything to judge.
      if (gone.length > fewAtOnce && isMassLoss(gone.length, known.size)) this.#sink.missed()
      else gone.forEach((id) => this.#sink.removed(id))
      for (const record of await this.#records(changed)) this.#sink.changed(record)
      known = seen
    }
  }

  async #records(ids: readonly string[]): Promise<WithId<T>[]> {
    return ids.length === 0 ? [] : this.#collection.find({ _id: { $in: ids } } as Filter<T>).toArray()
  }

  async #revisions(): Promise<Map<string, number>> {
    const records = await this.#collection.find<Versioned>({}, { projection: { _id: 1, revision: 1 } }).toArray()
    return new Map(records.map(({ _id, revision }) => [_id, revision]))
  }

  #isStopped(): boolean {
    return this.#stopped.signal.aborted
  }

  #pause(ms: number): Promise<void> {
    return delay(ms, undefined, { signal: this.#stopped.signal }).catch((error: unknown) => {
      if (!this.#isStopped()) throw error
    })
  }
}

/** Tells `sink` of every change from the moment this resolves. */
export async function watchCollection<T extends Versioned>(
  collection: Collection<T>,
  sink: CollectionSink<T>,
): Promise<Watch> {
  const watcher = new Watcher(collection, sink)
  await watcher.open()
  return watcher
}
