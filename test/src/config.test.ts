// Settings, secrets and keys: what is refused, what stays the same over restarts, what is never said.
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { readClasses, readExamples } from '../../src/classes.ts'
import { ConfigError, readConfig } from '../../src/config.ts'
import { openFolder, secretFile } from '../../src/folder.ts'
import { keysFrom } from '../../src/keys.ts'

test('with nothing set, everything has its documented default', (t) => {
  t.like(readConfig({}), {
    apiPort: 7070,
    proxyPort: 7080,
    flyPort: 7090,
    domain: 'localhost',
    environment: 'dev',
    prefix: 'kc',
    scale: 0.1,
    mode: 'normal',
    mongoUri: undefined,
  })
  t.is(readConfig({ FLY_API_TOKEN: 'x', FLY_APP: 'a' }).scale, 1)
})

test('wrong settings are named without their values, all at once', (t) => {
  const canary = 'canary-secret'
  const wrong = {
    MOORAGE_API_PORT: '70000',
    MOORAGE_ROLES: 'api,cook',
    MOORAGE_MASTER_KEY: canary,
    MOORAGE_TYPO: canary,
    MONGODB_URI: `http://user:${canary}@host`,
    FLY_API_TOKEN: canary,
  }
  const error = t.throws(() => readConfig(wrong), { instanceOf: ConfigError })
  for (const name of [...Object.keys(wrong).filter((key) => key !== 'FLY_API_TOKEN'), 'FLY_APP'])
    t.regex(error.message, new RegExp(name))
  t.notRegex(error.message, /canary/)
})

test('an empty value counts as not set', (t) => {
  t.is(readConfig({ FLY_API_TOKEN: '', MONGODB_URI: '' }).fly.token, undefined)
})

test('a secret file is made once, for its owner alone', (t) => {
  const folder = openFolder(mkdtempSync(join(tmpdir(), 'moorage-secret-')))
  t.teardown(() => rmSync(folder, { recursive: true }))
  let made = 0
  const make = () => `secret-${(made += 1)}`
  t.is(secretFile(folder, 'token', make), 'secret-1')
  t.is(secretFile(folder, 'token', make), 'secret-1')
  t.is(statSync(join(folder, 'token')).mode & 0o777, 0o600)
  t.is(statSync(folder).mode & 0o777, 0o700)
  writeFileSync(join(folder, 'empty'), '')
  t.throws(() => secretFile(folder, 'empty', make), { message: /is empty/ })
})

test('secrets follow from the master key, the tenant and the incarnation, and from nothing else', async (t) => {
  const clock = { now: () => Date.UTC(2026, 0, 1) }
  const master = new Uint8Array(32).fill(7)
  const one = await keysFrom(master, clock)
  const two = await keysFrom(master, clock)
  const other = await keysFrom(new Uint8Array(32).fill(8), clock)
  t.is(one.gatewayToken('a'), two.gatewayToken('a'))
  const tokens = [one.gatewayToken('a'), one.gatewayToken('b'), other.gatewayToken('a')]
  t.is(new Set(tokens).size, 3)
  const keys = [one.bridgeKey('a', 1), one.bridgeKey('a', 2), one.bridgeKey('b', 1), other.bridgeKey('a', 1)]
  t.is(new Set(keys.map((key) => Buffer.from(key).toString('hex'))).size, 4)
  t.deepEqual(one.bridgeKey('a', 1), two.bridgeKey('a', 1))
  await t.throwsAsync(keysFrom(new Uint8Array(31), clock), { instanceOf: RangeError })
})

test('the classes of the repository cover every example', (t) => {
  const classes = readClasses()
  t.true(classes.size >= 2)
  for (const { spec } of readExamples()) t.true(classes.has(spec.class))
})
