// The audit of one process: an entry before a change, one with what came of it, and what was changed in between. A crash leaves
// the first without the second: evidence, and no hole.
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Clock } from '../../specs/clock.ts'
import { Appender, type AuditChainStore } from './appender.ts'
import type { AuditBody, AuditChange, AuditResult, AuditSubject } from './entry.ts'

export interface Trail {
  /**
   * Announces, acts, and says what came of it. Rejects when the announcement cannot be stored, and nothing was done then; what
   * came of it is told to the log where it cannot be stored.
   */
  attempt(subject: AuditSubject, act: () => Promise<AuditResult>): Promise<void>
  /** Says that something was refused before it began. */
  refuse(subject: AuditSubject, result: AuditResult): Promise<void>
  /** What was changed just now; outside of an attempt it is nobody's, and is left out. */
  note(change: AuditChange): void
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
  return {
    attempt: async (subject, act) => {
      const intent = await appender.append(body(subject, { outcome: 'intended', changes: [] }))
      const attempt: Attempt = { changes: [], more: 0 }
      const result = await attempts.run(attempt, act)
      const outcome = body(subject, { ...result, intent: intent.seq, changes: listed(attempt) })
      await appender.append(outcome).catch((error: unknown) => {
        log.error({ err: error, intent: intent.seq, ...result }, 'the outcome of a change is not in the audit')
      })
    },
    refuse: async (subject, result) => {
      await appender.append(body(subject, { ...result, changes: [] }))
    },
    note: (change) => {
      const attempt = attempts.getStore()
      if (attempt === undefined) return
      if (attempt.changes.length < mostChanges) attempt.changes.push(change)
      else attempt.more += 1
    },
  }
}
