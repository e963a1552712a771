// What the LLM proxy polls: whose tokens count no more.
import test from 'ava'
import { keyPeriodMs } from '../../src/llm-keys.ts'
import { revokedIn } from '../../src/store/revoked.ts'
import { openStore } from '../../src/store/open.ts'
import { tenantsIn } from '../../src/store/tenants.ts'
import { freshStatus, tenantWith } from '../helpers/tenants.ts'
import { withFolder } from '../helpers/processes.ts'
import { startTestApi } from './fixture.ts'

test('suspended, ended, deleted and lately purged tenants are revoked; who sleeps is not', (t) =>
  withFolder(async (folder) => {
    const store = await openStore({ uri: undefined, folder })
    try {
      const tenants = tenantsIn(store.db)
      const now = Date.now()
      const add = (name: string, spec: object = {}, more: object = {}) =>
        tenants.add(tenantWith(spec, { name, uid: `uid-${name}`, ...more }))
      await add('running')
      await add('asleep', {}, { status: { ...freshStatus, effective: 'idle-suspended' } })
      await add('suspended', { state: 'suspended' })
      await add('unpaid', {}, { entitlement: { state: 'suspended' } })
      await add('ended', {}, { entitlement: { state: 'ended' } })
      await add('deleted', { state: 'deleted' })
      for (const [name, purgingSince] of [
        ['purged', now - 1_000],
        ['forgotten', now - keyPeriodMs - 1_000],
      ] as const) {
        // prettier-ignore
        await add(name, { state: 'deleted' }, { status: { ...freshStatus, purgingSince } })
        const tenant = await tenants.byName(name)
        t.true(tenant !== undefined && (await tenants.purge(tenant)))
      }
      const api = await startTestApi(t, () => ({ revoked: revokedIn(store.db) }))
      const answer = await api.call('/v1/llm/revocations')
      t.is(answer.status, 200)
      t.deepEqual(answer.json()['subjects'], ['deleted', 'ended', 'purged', 'suspended', 'unpaid'].map((name) => `uid-${name}`)) // prettier-ignore
    } finally {
      await store.close()
    }
    const without = await startTestApi(t)
    t.is((await without.call('/v1/llm/revocations')).status, 404)
  }))
