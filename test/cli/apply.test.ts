// `moor apply` with several files and folders: a result for each document, with the place of what is wrong.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { startTestApi, stored, tenantDocument, token } from '../api/fixture.ts'
import { limitedToken } from '../api/listener.ts'
import { moor } from './fixture.ts'

async function folderOf(t: ExecutionContext, files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'moorage-apply-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(folder, name, '..'), { recursive: true })
    await writeFile(join(folder, name), text)
  }
  return folder
}

const pool = 'kind: Pool\nname: warm\nspec: { region: iad, class: standard, min: 0, max: 2 }\n'

test('files, folders and standard input: tenants and pools, one line each, one refused among them', async (t) => {
  const api = await startTestApi(t)
  const folder = await folderOf(t, {
    'a.yaml':
      '# two\n---\nkind: Tenant\nname: acme\nspec: {}\n---\n\n# wrong\nkind: Tenant\nname: beta\nspec:\n  region: nowhere\n',
    'b.json': JSON.stringify(tenantDocument('gamma')),
    'notes.txt': 'no document',
    'deep/c.yml': 'kind: Tenant\nname: delta\nspec: {}\n',
  })
  const env = { MOORAGE_API: api.url, MOORAGE_TOKEN: token }
  const tried = await moor(['apply', '--dry-run', '-f', folder, '-'], env, pool)
  t.is(tried.out, 'tenant/acme created (dry run)\ntenant/gamma created (dry run)\npool/warm created (dry run)\n')
  t.regex(tried.err, /\nmoor: 1 of 4 documents would not be applied\.\n$/)
  t.deepEqual(await api.tenants.page({ limit: 9 }), [])
  const ran = await moor(['apply', '-f', folder, '-', '-f', join(folder, 'deep', 'c.yml')], env, pool)
  t.is(ran.code, 1)
  t.is(ran.out, 'tenant/acme created\ntenant/gamma created\npool/warm created\ntenant/delta created\n')
  const file = join(folder, 'a.yaml')
  t.is(
    ran.err
      .split('\n')
      .slice(0, 2)
      .join('\n')
      .replaceAll(file, 'a.yaml')
      .replace(/ must.*/, ''),
    'tenant/beta refused (a.yaml): The document is not valid\n  a.yaml:12:11 spec.region',
  )
  t.regex(ran.err, /\nmoor: 1 of 5 documents were not applied\.\n$/)
  const again = await moor(['apply', '-R', '-f', folder, '-o', 'json'], env)
  t.like(JSON.parse(again.out), { failed: 1, results: [{ outcome: 'unchanged' }, { outcome: 'refused' }] })
  t.deepEqual(
    (await api.tenants.page({ limit: 9 })).map(({ name }) => name),
    ['acme', 'delta', 'gamma'],
  )
  t.regex((await moor(['get', 'pools'], env)).out, /^NAME +REGION [^\n]*\nwarm +iad +standard /)
  t.regex((await moor(['get', 'pools', 'warm', '-o', 'yaml'], env)).out, /^kind: Pool\n/)
  t.regex((await moor(['get', 'classes', 'standard'], env)).out, /^NAME [^\n]*\nstandard [^\n]*\n$/)
  t.is((await moor(['get', 'pools', 'none'], env)).code, 1)
  for (const missing of [join(folder, 'nothing.yaml'), join(folder, 'deep', 'none')])
    t.regex((await moor(['apply', '-f', missing], env)).err, /^moor: .* cannot be read: /)
})

test('more than one request’s worth is sent in several, and lines stay the file’s', async (t) => {
  const api = await startTestApi(t)
  const documents = Array.from({ length: 502 }, (_, at) => `kind: Tenant\nname: t${at}\nspec: {paused: true}\n`)
  const text = `${documents.join('---\n')}---\nkind: Tenant\nname: last\nspec: {pausd: true}\n`
  const folder = await folderOf(t, { 'many.yaml': text })
  const env = { MOORAGE_API: api.url, MOORAGE_TOKEN: token }
  const ran = await moor(['apply', '-f', join(folder, 'many.yaml')], env)
  t.is(ran.out.split('\n').length - 1, 502)
  t.true(ran.err.includes(`many.yaml:${502 * 4 + 3}:15 spec.pausd is not a known field`), ran.err)
  t.is((await api.tenants.uids()).length, 502)
})

test('a conflict can be taken over with force, for a reason that the audit has', async (t) => {
  const api = await startTestApi(t)
  const env = { MOORAGE_API: api.url, MOORAGE_TOKEN: token }
  const billed = 'kind: Tenant\nname: acme\nspec: {}\nentitlement: { state: suspended }\n'
  const refused = await moor(['apply', '-f', '-'], env, billed)
  t.is(refused.code, 1)
  t.regex(refused.err, /-:4:14 entitlement entitlement is the billing’s|entitlement is the billing’s/)
  const reason = 'Zahlung überfällig – by hand'
  const forced = await moor(['apply', '-f', '-', '--force-conflicts', '--reason', reason], env, billed)
  t.deepEqual(forced, { code: 0, out: 'tenant/acme created\n', err: '' })
  t.is((await stored(api.tenants, 'acme')).entitlement.state, 'suspended')
  t.is((await moor(['retry', 'acme', '--reason', 'disk mended'], env)).code, 0)
  const { out } = await moor(['audit'], env)
  t.true(out.includes(reason), out)
  t.true(out.includes('disk mended'))
})

test('a limited token applies its tenants', async (t) => {
  const api = await startTestApi(t)
  const limited = await limitedToken(api, 'plan=pro', 'admin')
  const env = { MOORAGE_API: api.url, MOORAGE_TOKEN: limited }
  const text = `kind: Tenant\nname: acme\nlabels: { plan: pro }\nspec: {}\n---\n${pool}`
  const ran = await moor(['apply', '-f', '-'], env, text)
  t.deepEqual([ran.code, ran.out], [1, 'tenant/acme created\n'])
  t.regex(ran.err, /^pool\/warm refused \(-\): A Pool concerns more than/)
})
