// The table of who may do what: every operation, every role and nobody. An operation without a row fails, and so does a row
// without its operation. The fields are in fields.test.ts.
import test from 'ava'
import { roles, type Role } from '../../src/api/caller.ts'
import type { Operation } from '../../src/api/operation.ts'
import { ask } from '../helpers/client.ts'
import { startTestApi, type ApiUnderTest } from './fixture.ts'
import { tokensOf } from './role-tokens.ts'

/** a: admin, b: billing, v: viewer; l: also where a label selector limits the token; w: it is in the audit. */
const operations: Readonly<Record<string, string>> = {
  ...{
    listTenants: 'abv l',
    getTenant: 'abv l',
    putTenant: 'a l w',
    patchTenant: 'a l w',
    deleteTenant: 'a l w',
    putEntitlement: 'ab l w',
  },
  ...{ retryTenant: 'a l w', restartTenant: 'a l w', undeleteTenant: 'a l w', restoreTenant: 'a l w' },
  ...{ approveTenant: 'a l w', rejectTenant: 'a l w' },
  ...{ getPlan: 'av l', planTenant: 'av l', getWhy: 'abv l', getDiff: 'av l' },
  ...{ listEvents: 'av l', listTenantEvents: 'abv l', getTimeline: 'abv l' },
  ...{ listClasses: 'abv l', getClass: 'abv l', putClass: 'a w', patchClass: 'a w', deleteClass: 'a w' },
  ...{ listRollouts: 'av', getRollout: 'av', pauseRollout: 'a w', resumeRollout: 'a w' },
  ...{ rollbackRollout: 'a w', advanceRollout: 'a w' },
  ...{ getFleet: 'av', putFleet: 'a w', acknowledgeFleet: 'a w', retryFleet: 'a w', approveFleet: 'a w' },
  ...{ adoptFleet: 'a w', listOrphans: 'av', getOrphan: 'av', releaseOrphan: 'a w', keepOrphan: 'a w' },
  ...{ listTokens: 'a', getToken: 'a', createToken: 'a w', rotateToken: 'a w', revokeToken: 'a w' },
  applyAll: 'a l w',
  ...{ listWebhookEndpoints: 'av', getWebhookEndpoint: 'av', listWebhookDeliveries: 'av' },
  ...{ addWebhookEndpoint: 'a w', putWebhookEndpoint: 'a w', removeWebhookEndpoint: 'a w' },
  patchWebhookEndpoint: 'a w',
  ...{ rotateWebhookSecret: 'a w', testWebhookEndpoint: 'a w', redeliverWebhook: 'a w' },
  listLlmRevocations: 'av',
  ...{ listPools: 'abv', getPool: 'abv', putPool: 'a w', patchPool: 'a w', deletePool: 'a w' },
  ...{ listPairings: 'av l', approvePairing: 'a l w', rejectPairing: 'a l w' },
  ...{ whoami: 'abv l', listAudit: 'a', listSchemas: 'abv l', getSchema: 'abv l' },
  ...{ putEntitlements: 'ab l w', takeBillingWebhook: 'signed w' },
  ...{ getCosts: 'abv l', getUsage: 'abv l', getMetrics: 'av' },
  ...{ getOpenApi: 'open', getDocs: 'open', getDocsFile: 'open' },
  ...{ livez: 'open', readyz: 'open', getJwks: 'open', getProblem: 'open' },
}

type Row = Readonly<Record<Role, boolean>>
const letters: Readonly<Record<Role, string>> = { admin: 'a', billing: 'b', viewer: 'v' }

function rowOf(id: string): { readonly may: Row | 'open'; readonly limited: boolean; readonly audited: boolean } {
  const [who = '', ...flags] = (operations[id] ?? '').split(' ')
  const may = (role: Role) => who.includes(letters[role])
  const row = { admin: may('admin'), billing: may('billing'), viewer: may('viewer') }
  return {
    may: who === 'open' || who === 'signed' ? 'open' : row,
    limited: flags.includes('l'),
    audited: flags.includes('w'),
  }
}

/** Asked of something that is not there, or with a body that cannot be read: whoever is let in changes nothing. */
function askAs(api: ApiUnderTest, operation: Operation, token: string | undefined) {
  const method = operation.method.toUpperCase()
  const headers = { 'content-type': 'text/plain', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) }
  const address = `${api.url}${operation.path.replaceAll(/\{\w+\}/g, 'none')}`
  return ask(address, { method, headers, ...(operation.body === undefined ? {} : { body: 'x' }) })
}

test('every operation has its row, and every row its operation', async (t) => {
  const api = await startTestApi(t)
  t.deepEqual(api.operations.map(({ id }) => id).sort(), Object.keys(operations).sort())
  for (const { id, limited, changes, roles: may } of api.operations) {
    const row = rowOf(id)
    t.is(limited && may !== 'open', row.limited, id)
    t.is(changes, row.audited, id)
  }
})

test('each role is let in as the table says, and nobody else is', async (t) => {
  const api = await startTestApi(t)
  const tokens = await tokensOf(api)
  const limited = await tokensOf(api, { labelSelector: 'plan=pro' })
  for (const operation of api.operations) {
    // What is signed needs no token, and has refusals of its own.
    if (operations[operation.id]?.startsWith('signed') === true) continue
    const { may, limited: within } = rowOf(operation.id)
    for (const role of roles) {
      const { status } = await askAs(api, operation, tokens[role])
      t.is(status === 403, may !== 'open' && !may[role], `${role} ${operation.id}: ${status}`)
      t.true(status !== 401 && status < 500, `${role} ${operation.id}: ${status}`)
      const other = await askAs(api, operation, limited[role])
      t.is(other.status === 403, may !== 'open' && !(may[role] && within), `limited ${role} ${operation.id}`)
    }
    for (const token of [undefined, 'made-up', `${tokens.admin}x`, tokens.admin.replace('moor_', '')])
      t.is((await askAs(api, operation, token)).status === 401, may !== 'open', `${token ?? 'nobody'} ${operation.id}`)
  }
})
