// Service tokens and an audit in memory, for tests that are about something else.
import type { Clock } from '../../specs/clock.ts'
import type { ApiOptions } from '../../src/api/server.ts'
import type { AuditEntry } from '../../src/audit/entry.ts'
import { auditTrail } from '../../src/audit/trail.ts'
import { serviceTokens } from '../../src/identity/service-tokens.ts'
import type { AuditStore } from '../../src/store/audit.ts'

const quiet = { info: () => {}, warn: () => {}, error: () => {} }

function auditInMemory(): AuditStore {
  const all: AuditEntry[] = []
  const head = async () => all.at(-1)
  return {
    last: head,
    head,
    insert: async (entries) => all.push(...entries) && entries.length,
    keepHead: async () => {},
    page: async ({ limit }) => all.slice(0, limit),
  }
}

/** Nobody has a token; the audit is kept and read by nobody. */
export function callersInMemory(clock: Clock): Pick<ApiOptions, 'tokens' | 'audit'> {
  const nothing = async () => undefined
  const store = { add: async () => {}, get: nothing, page: async () => [], save: nothing, used: async () => {} }
  const signer = {
    sign: () => Promise.reject(new Error('no token is made here')),
    read: async () => ({ ok: false, reason: 'unknown' }) as const,
  }
  const entries = auditInMemory()
  const trail = auditTrail({ store: entries, clock, log: quiet })
  return { tokens: serviceTokens({ store, signer, clock, log: quiet }), audit: { entries, trail } }
}
