// Answers kept for requests that may come again: under caller, route and key, for a day.
import type { Collection, Db } from 'mongodb'
import type { Instant } from '../../specs/clock.ts'
import { unlessTaken } from './tenants.ts'

export interface KeptAnswer {
  readonly status: number
  /** The headers that the operation set itself. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

interface Stored {
  readonly _id: string
  readonly fingerprint: string
  readonly begunAt: Date
  readonly answer?: KeptAnswer
}

/** `mine`: nobody has asked before. `running`: somebody is at it. */
export type Begun =
  | { readonly kind: 'mine' }
  | { readonly kind: 'running' }
  | { readonly kind: 'other-request' }
  | { readonly kind: 'answered'; readonly answer: KeptAnswer }

export interface Replays {
  /** Takes the key for this request, or says what became of it. */
  begin(id: string, fingerprint: string, now: Instant): Promise<Begun>
  finish(id: string, answer: KeptAnswer): Promise<void>
  /** Gives the key back, as if nobody had asked. */
  forget(id: string): Promise<void>
}

const keptSeconds = 86_400
/** A process that died in the middle is not waited for longer. */
const abandonedMs = 60_000

/** Applies the index by which they are forgotten. */
export async function applyReplaySchema(db: Db): Promise<void> {
  await db.collection('replays').createIndex({ begunAt: 1 }, { name: 'forget', expireAfterSeconds: keptSeconds }, {})
}

async function begin(replays: Collection<Stored>, mine: Stored): Promise<Begun> {
  const { _id, fingerprint, begunAt } = mine
  if ((await unlessTaken(replays.insertOne(mine), 'taken')) !== 'taken') return { kind: 'mine' }
  const before = await replays.findOne({ _id })
  if (before === null) return { kind: 'running' }
  const age = begunAt.getTime() - before.begunAt.getTime()
  if (age >= keptSeconds * 1_000 || (before.answer === undefined && age >= abandonedMs)) {
    const taken = await replays.findOneAndReplace({ _id, begunAt: before.begunAt }, { fingerprint, begunAt })
    return { kind: taken === null ? 'running' : 'mine' }
  }
  if (before.fingerprint !== fingerprint) return { kind: 'other-request' }
  return before.answer === undefined ? { kind: 'running' } : { kind: 'answered', answer: before.answer }
}

/** The kept answers of a database. */
export function replaysIn(db: Db): Replays {
  const replays = db.collection<Stored>('replays')
  return {
    begin: (id, fingerprint, now) => begin(replays, { _id: id, fingerprint, begunAt: new Date(now) }),
    finish: async (id, answer) => {
      await replays.updateOne({ _id: id }, { $set: { answer } })
    },
    forget: async (id) => {
      await replays.deleteOne({ _id: id })
    },
  }
}
