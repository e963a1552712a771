// `moor token`, `moor whoami`, `moor audit` over a real API: what they print, and their exit codes.
import test from 'ava'
import { startTestApi, tenantDocument, token } from '../api/fixture.ts'
import { moor } from './fixture.ts'

test('a token is made, used, rotated and revoked', async (t) => {
  const api = await startTestApi(t)
  const as = (bearer: string, ...args: string[]) => moor(args, { MOORAGE_API: api.url, MOORAGE_TOKEN: bearer })
  const made = await as(token, 'token', 'create', 'ci', '--role', 'viewer', '-l', 'plan=pro', '--days', '7')
  t.is(made.code, 0, made.err)
  const secret = made.out.trim()
  t.regex(secret, /^moor_[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/)
  const [, id = ''] = /^token ([a-z2-7]{16}), until .*; this is shown once\n$/.exec(made.err) ?? []
  t.is((await as(secret, 'whoami')).out, `ci (token:${id}), role viewer, for tenants with plan=pro\n`)
  t.is((await as(secret, 'get')).out, 'There are no tenants.\n')
  const refused = await as(secret, 'token', 'list')
  t.deepEqual([refused.code, refused.out], [1, ''])
  t.regex((await as(token, 'token', 'list')).out, new RegExp(`\\n${id} +ci +viewer +active +plan=pro +20`))
  const rotated = await as(token, 'token', 'rotate', id, '--grace-hours', '0')
  t.is((await as(secret, 'whoami')).code, 1)
  t.is((await as(rotated.out.trim(), 'whoami')).code, 0)
  t.is((await as(token, 'token', 'revoke', id)).out, `token ${id} is revoked\n`)
  t.is((await as(rotated.out.trim(), 'whoami')).code, 1)
  t.is((await as(token, 'token', 'create', 'x', '--role', 'root')).code, 2)
})

test('the audit is listed and verified; what is broken is said, with exit code 1', async (t) => {
  const api = await startTestApi(t)
  const run = (...args: string[]) => moor(args, { MOORAGE_API: api.url, MOORAGE_TOKEN: token })
  t.is((await run('audit', 'verify')).out, 'There is nothing in the audit.\n')
  await api.putJson('acme', tenantDocument('acme'), { 'x-reason': 'ticket 7' })
  await api.putJson('acme', tenantDocument('acme', { state: 'suspended' }))
  const lines = (await run('audit', '--object', 'tenants/acme')).out.split('\n')
  t.regex(lines[0] ?? '', /^SEQ +AT +WHO +FROM +WHAT +OBJECT +OUTCOME +CHANGED +REASON$/)
  t.regex(lines[1] ?? '', /^4 .*admin-token +127\.0\.0\.1 +putTenant +tenants\/acme +done +spec\.state$/)
  t.regex(lines[2] ?? '', /^2 .* ticket 7$/)
  t.is(lines.length, 4)
  const good = await run('audit', 'verify')
  t.is(good.code, 0, good.err)
  const [, head = ''] = /^4 entries, and the chain holds\.\nHead (4:[0-9a-f]{64})\n/.exec(good.out) ?? []
  t.is((await run('audit', 'verify', '--head', head)).code, 0)
  t.is((await run('audit', 'verify', '--head', 'x')).code, 1)
  const audit = api.store.db.collection<{ _id: number }>('audit')
  await audit.updateOne({ _id: 2 }, { $set: { 'caller.name': 'eve' } })
  const broken = await run('audit', 'verify')
  t.deepEqual([broken.code, broken.out], [1, ''])
  t.is(broken.err, 'moor: The audit is broken. Entry 2 was changed: its content does not give its hash.\n')
  await audit.deleteMany({ _id: { $gte: 2 } })
  await api.store.db.collection('heads').deleteMany({})
  t.is((await run('audit', 'verify')).code, 0)
  const cut = await run('audit', 'verify', '--head', head)
  t.is(cut.err, 'moor: The audit is broken. The end is missing: the audit had reached entry 4, and ends at 1.\n')
})
