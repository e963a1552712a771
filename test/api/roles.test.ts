// Which role may call which operation: every operation, every role, and nobody.
import test from 'ava'
import { roles, type Role } from '../../src/api/caller.ts'
import type { Operation } from '../../src/api/operation.ts'
import { ask } from '../helpers/client.ts'
import { startTestApi } from './fixture.ts'

const tokens: Readonly<Record<Role, string>> = { admin: 'admins-own', billing: 'billings-own', viewer: 'viewers-own' }

/** Asked of something that is not there, so that whoever is let in changes nothing. */
const addressOf = ({ path }: Operation) => path.replaceAll(/\{\w+\}/g, 'none')

const start = (t: Parameters<typeof startTestApi>[0]) =>
  startTestApi(t, () => ({
    authenticators: [
      async (token) => {
        const role = roles.find((one) => tokens[one] === token)
        return role === undefined ? undefined : { id: `test-${role}`, role, selector: undefined }
      },
    ],
  }))

test('each role is let in where the operation says so, and told which role it would need where not', async (t) => {
  const api = await start(t)
  const before = await api.tenants.uids()
  for (const operation of api.operations)
    for (const role of roles) {
      const headers = { authorization: `Bearer ${tokens[role]}`, 'content-type': 'text/plain' }
      const method = operation.method.toUpperCase()
      const { status, ...answer } = await ask(`${api.url}${addressOf(operation)}`, {
        ...{ method, headers },
        ...(operation.body === undefined ? {} : { body: 'x' }),
      })
      const may = operation.roles === 'open' || operation.roles.includes(role)
      const what = `${role} ${method} ${operation.path}: ${status}`
      t.not(status, 401, what)
      t.is(status === 403, !may, what)
      t.true(status < 500, what)
      if (!may) t.like(answer.json(), { code: 'forbidden', needed: operation.roles })
    }
  t.deepEqual(await api.tenants.uids(), before)
})

test('nobody gets in without a token but where an operation is open', async (t) => {
  const api = await start(t)
  for (const operation of api.operations) {
    const method = operation.method.toUpperCase()
    const { status } = await ask(`${api.url}${addressOf(operation)}`, { method })
    t.is(status === 401, operation.roles !== 'open', `${method} ${operation.path}: ${status}`)
  }
})

test('an operation has one id and one address, and billing writes nothing but entitlements', async (t) => {
  const { operations } = await start(t)
  t.is(new Set(operations.map(({ id }) => id)).size, operations.length)
  t.is(new Set(operations.map(({ method, path }) => `${method} ${path}`)).size, operations.length)
  // A plan of a document that is not applied writes nothing.
  const writes = operations.filter(({ method, id }) => method !== 'get' && id !== 'planTenant')
  const of = (role: Role) => writes.filter(({ roles: may }) => may !== 'open' && may.includes(role)).map(({ id }) => id)
  t.deepEqual(of('viewer'), [])
  t.deepEqual(of('billing'), ['putEntitlement'])
  t.is(of('admin').length, writes.length)
})
