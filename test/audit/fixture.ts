// An audit over a real store in a folder of its own.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { Db } from 'mongodb'
import { Appender } from '../../src/audit/appender.ts'
import { ChainCheck, type ChainReport } from '../../src/audit/chain.ts'
import type { AuditBody, AuditHead, AuditSubject } from '../../src/audit/entry.ts'
import { auditIn, type AuditStore } from '../../src/store/audit.ts'
import { openStore } from '../../src/store/open.ts'
import { realClock } from '../../src/clock.ts'

export const quiet = { warn: () => {}, error: () => {} }

export async function openAudit(t: ExecutionContext): Promise<{ readonly db: Db; readonly store: AuditStore }> {
  const folder = await mkdtemp(join(tmpdir(), 'moorage-audit-'))
  const opened = await openStore({ uri: undefined, folder })
  t.teardown(async () => {
    await opened.close()
    await rm(folder, { recursive: true, force: true })
  })
  return { db: opened.db, store: auditIn(opened.db) }
}

export const appenderOver = (store: AuditStore) => new Appender({ store, clock: realClock, log: quiet })

export function subject(name = 'acme', by = 'token:ann'): AuditSubject {
  return {
    caller: { id: by, name: 'ann', role: 'admin', address: '127.0.0.1' },
    request: { id: '0a1b', operation: 'putTenant', method: 'PUT', path: `/v1/tenants/${name}` },
    object: `tenants/${name}`,
    reason: 'ticket 7',
  }
}

export function body(name = 'acme', more: Partial<AuditBody> = {}): AuditBody {
  const fields = [{ path: 'spec.region', from: 'iad', to: 'ams' }]
  const changes = [{ object: `tenants/${name}`, uid: 'u1', generation: { from: 1, to: 2 }, fields }]
  return { at: '2026-01-01T00:00:00.000Z', ...subject(name), outcome: 'done', status: 200, changes, ...more }
}

/** As whoever checks sees it: the whole chain from its first entry on, and the heads that he knows. */
export async function checked(store: AuditStore, heads: readonly AuditHead[] = []): Promise<ChainReport> {
  const kept = await store.head()
  const check = new ChainCheck(kept === undefined ? heads : [...heads, kept])
  for (const entry of await store.page({ order: 'oldest', limit: 10_000 })) if (!check.take({ ...entry })) break
  return check.report()
}
