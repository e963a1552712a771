// The audit of one process: an entry before a change, one with what came of it, and what was changed in between. A crash leaves
// the first without the second: evidence, and no hole.
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Clock } from '../../specs/clock.ts'
import { Appender, type AuditChainStore } from './appender.ts'
import type { AuditBody, AuditChange, AuditResult, AuditSubject } from './entry.ts'

/** What a result has changed; undefined: nothing. */
export type Told<T> = (result: T) => AuditChange | undefined

export interface Trail {
  /**
   * Announces, acts, and says what came of it. Rejects when the announcement cannot be stored, and nothing was done then; what
   * came of it is told to the log where it cannot be stored.
   */
  attempt(subject: AuditSubject, act: () => Promise<AuditResult>): Promise<void>
  /** Says that something was refused before it began. */
  refuse(subject: AuditSubject, result: AuditResult): Promise<void>
  /** What was changed just now, in the attempt under way. Outside of one it says nothing. */
  note(change: AuditChange): void
  /** Makes a change as part of the attempt under way; outside of one it becomes an attempt of its own, by `otherwise`. */
  within<T>(otherwise: () => AuditSubject, act: () => Promise<T>, told: Told<T>): Promise<T>
}

export interface TrailOptions {
  readonly store: AuditChainStore
  readonly clock: Clock
  readonly log: { warn(fields: object, message: string): void; error(fields: object, message: string): void }
}

/** A bulk change names so many objects, and says how many more there were. */
const mostChanges = 500

interface Attempt {
  readonly changes: AuditChange[]
  more: number
}

function listed({ changes, more }: Attempt): readonly AuditChange[] {
  return more === 0 ? changes : [...changes, { object: `${more} more`, fields: [] }]
}

/** The audit over a store. */
export function auditTrail({ store, clock, log }: TrailOptions): Trail {
  const appender = new Appender({ store, clock, log })
  const attempts = new AsyncLocalStorage<Attempt>()
  const body = (subject: AuditSubject, rest: Omit<AuditBody, 'at' | keyof AuditSubject>): AuditBody => ({
    at: new Date(clock.now()).toISOString(),
    ...subject,
    ...rest,
  })
  const attempt: Trail['attempt'] = async (subject, act) => {
    const intent = await appender.append(body(subject, { outcome: 'intended', changes: [] }))
    const made: Attempt = { changes: [], more: 0 }
    const result = await attempts.run(made, act)
    const outcome = body(subject, { ...result, intent: intent.seq, changes: listed(made) })
    await appender.append(outcome).catch((error: unknown) => {
      log.error({ err: error, intent: intent.seq, ...result }, 'the outcome of a change is not in the audit')
    })
  }
  const note = (change: AuditChange | undefined) => {
    const made = attempts.getStore()
    if (made === undefined || change === undefined) return
    if (made.changes.length < mostChanges) made.changes.push(change)
    else made.more += 1
  }
  const acted = async <T>(act: () => Promise<T>, told: Told<T>) => {
    const result = await act()
    note(told(result))
    return result
  }
  return {
    attempt,
    note,
    refuse: async (subject, result) => {
      await appender.append(body(subject, { ...result, changes: [] }))
    },
    within: async (otherwise, act, told) => {
      if (attempts.getStore() !== undefined) return acted(act, told)
      let result: { readonly value: Awaited<ReturnType<typeof act>> } | undefined
      await attempt(otherwise(), async () => {
        result = { value: await acted(act, told) }
        return { outcome: 'done', status: 200 }
      })
      if (result === undefined) throw new Error('an attempt ended without its result')
      return result.value
    },
  }
}
