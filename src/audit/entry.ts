// One entry of the audit: who did what to what, from where, why, and what came of it. Stored, shown and hashed in this very
// shape, so that anybody who reads the audit can check it. No field of it may hold a secret.

/** `intended` stands before the change, the others say what came of it. */
export const auditOutcomes = ['intended', 'done', 'refused', 'failed'] as const
export type AuditOutcome = (typeof auditOutcomes)[number]

/** Texts and lists of texts as they are; anything deeper as JSON. */
export type AuditValue = string | number | boolean | null | readonly string[]

export interface FieldDiff {
  readonly path: string
  readonly from?: AuditValue
  readonly to?: AuditValue
  /** A secret, or too long to keep: that it differs is all that is told. */
  readonly changed?: true
}

export interface AuditChange {
  /** As in `tenants/acme`. */
  readonly object: string
  readonly uid?: string
  /** Before and after; null where the object was not there. */
  readonly generation?: { readonly from: number | null; readonly to: number | null }
  readonly fields: readonly FieldDiff[]
}

export interface AuditCaller {
  readonly id: string
  readonly name: string
  readonly role: string
  readonly address: string
}

/** What is known before anything is done. */
export interface AuditSubject {
  readonly caller: AuditCaller
  readonly request: {
    readonly id: string
    readonly operation: string
    readonly method: string
    readonly path: string
  }
  /** What the address names, as in `tenants/acme`. */
  readonly object: string
  /** In the caller's words (the header X-Reason). */
  readonly reason?: string
}

export interface AuditResult {
  readonly outcome: Exclude<AuditOutcome, 'intended'>
  readonly status: number
  /** The problem's code. */
  readonly code?: string
}

/** Everything but its place in the chain. */
export interface AuditBody extends AuditSubject {
  /** ISO 8601 with milliseconds, in UTC. */
  readonly at: string
  readonly outcome: AuditOutcome
  /** Of an outcome: the number of the entry that announced it. */
  readonly intent?: number
  readonly status?: number
  readonly code?: string
  readonly changes: readonly AuditChange[]
}

export interface AuditEntry extends AuditBody {
  /** From 1, without a gap. */
  readonly seq: number
  /** The hash of the entry before; of the first, `firstPrevious`. */
  readonly previous: string
  /** SHA-256, in hex, over the canonical JSON (RFC 8785) of all the rest. */
  readonly hash: string
}

/** Where the chain ends: enough to tell a shortened one. */
export interface AuditHead {
  readonly seq: number
  readonly hash: string
}
