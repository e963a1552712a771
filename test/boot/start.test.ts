// The boot script under a real shell. Numbers are the rows of the defects that openclaw.md (part 4) found in the seed's.
import test from 'ava'
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import net from 'node:net'
import { once } from 'node:events'
import path from 'node:path'
import { Root, scriptFile, shell, until } from './start-fixture.ts'

/** The install is ended by coreutils' timeout, which the image has and a Mac may not. */
const withTimeout = spawnSync('timeout', ['1', 'true']).status === 0 ? test : test.skip

const base64 = (text: string) => Buffer.from(text).toString('base64')
const config = (value: unknown) => ({ OPENCLAW_CONFIG_B64: base64(JSON.stringify(value)) })

/** The processes that a process has started and not seen end, zombies too; undefined where the system does not tell. */
function children(pid: number): string[] | undefined {
  const file = `/proc/${pid}/task/${pid}/children`
  return existsSync(file) ? readFileSync(file, 'utf8').split(' ').filter(Boolean) : undefined
}

test('the script is what it says: POSIX sh, without a complaint from shellcheck', (t) => {
  t.is(spawnSync(shell, ['-n', scriptFile]).status, 0)
  const check = spawnSync('shellcheck', [scriptFile], { encoding: 'utf8' })
  if (check.error !== undefined) t.log('shellcheck is not installed: not run')
  else t.is(check.stdout, '')
})

test('1: a caller before the gateway listens does no harm', async (t) => {
  const root = new Root(t)
  root.browser('1243', 'chrome-linux/headless_shell')
  const boot = await root.up({ FAKE_HOLD: '1' })
  await until(() => existsSync(path.join(root.state, 'child.json')), 'the bridge is up')
  t.is(await boot.ask(), '')
  writeFileSync(path.join(root.state, 'listen'), '')
  t.true(await boot.answers())
})

test('2, 3: the bridge is the gateway’s own process: it ends with it, and there is no second node', async (t) => {
  const root = new Root(t)
  root.browser('1243', 'chrome-linux/headless_shell')
  const boot = await root.up()
  t.true(await boot.answers())
  t.is(root.ran().pid, boot.pid, 'the shell was replaced')
  await until(() => children(boot.pid)?.length !== 1, 'the forked child ended')
  t.deepEqual(children(boot.pid) ?? [], [])
  await boot.end('SIGKILL')
  await t.throwsAsync(boot.ask(), { message: /nothing listens/ })
})

test('the gateway gets the seed’s command line, and a SIGTERM reaches it', async (t) => {
  const root = new Root(t)
  const boot = await root.up({ MOORAGE_HEAP_MB: '3072' })
  const { argv, execArgv } = root.ran()
  t.deepEqual(argv.slice(2), ['gateway', '--allow-unconfigured', '--bind', 'loopback'])
  t.true(execArgv.includes('--max-old-space-size=3072'))
  t.true(await boot.answers())
  t.is(await boot.end('SIGTERM'), 0)
})

withTimeout('4, 5, 13: a missing browser is installed beside the gateway, with the image’s own version', async (t) => {
  const root = new Root(t)
  const boot = await root.up()
  t.true(await boot.answers(), 'the gateway does not wait for it')
  await until(() => existsSync(path.join(root.browsers, 'called.json')), 'the install began')
  t.false(existsSync(root.link))
  const called = root.ran('.browsers/called.json')
  t.deepEqual(called.argv.slice(2), ['install', '--only-shell', 'chromium'])
  t.is(called.env['PLAYWRIGHT_BROWSERS_PATH'], root.browsers)
  for (const secret of ['OPENCLAW_GATEWAY_TOKEN', 'KIWICLAW_PROXY_TOKEN', 'MOORAGE_BRIDGE_KEY', 'OPENCLAW_CONFIG_B64'])
    t.is(called.env[secret], undefined, secret)
  writeFileSync(path.join(root.browsers, 'go'), '')
  await until(() => existsSync(root.link), 'the link leads to the browser')
  await until(() => boot.said.includes('the browser is installed'), 'it is said')
  t.false(existsSync(path.join(root.folder, 'npx-was-called')))
  await until(() => (children(boot.pid) ?? []).length === 0, 'nothing is left for the gateway to reap')
})

withTimeout('a browser install that fails or takes for ever costs nothing but the browser', async (t) => {
  const root = new Root(t)
  const boot = await root.up({ MOORAGE_INSTALL_LIMIT: '0.3' })
  await until(() => boot.said.includes('the browser was not installed'), 'the limit ended it')
  t.true(await boot.answers())
  t.false(existsSync(root.link))
})

test('6, 8: of several revisions and both layouts the newest complete one is linked, and nothing is downloaded', async (t) => {
  const root = new Root(t)
  root.browser('999', 'chrome-linux/headless_shell')
  const newest = root.browser('1243', 'chrome-headless-shell-linux64/chrome-headless-shell')
  root.browser('1300', 'chrome-headless-shell-linux64/chrome-headless-shell', false)
  root.browser('1200', 'chrome-linux/headless_shell')
  const boot = await root.up()
  t.is(readlinkSync(root.link), newest)
  t.notRegex(boot.said, /unexpected operator|installing/)
  const older = new Root(t)
  const only = older.browser('1100', 'chrome-linux/headless_shell')
  await older.up()
  t.is(readlinkSync(older.link), only)
})

test('7: the link follows the browser, and is left alone when there is none', async (t) => {
  const root = new Root(t)
  const boot = await root.up()
  t.notRegex(boot.said, /ln:/)
  t.false(existsSync(root.link))
  await boot.end()
  symlinkSync('/nowhere', root.link)
  const program = root.browser('1243', 'chrome-linux/headless_shell')
  await root.up()
  t.is(readlinkSync(root.link), program)
  t.true(lstatSync(root.link).isSymbolicLink())
})

test('9: a broken configuration never replaces the last good one', async (t) => {
  const root = new Root(t)
  await (await root.up(config({ gateway: { mode: 'local' }, a: 1 }))).end()
  for (const broken of ['%%%', base64('{ "a": '), base64('[1]'), '', undefined]) {
    const boot = await root.up({ OPENCLAW_CONFIG_B64: broken })
    t.deepEqual(root.read('openclaw.json'), { gateway: { mode: 'local' }, a: 1 })
    t.regex(boot.said, /using the last good one/)
    await boot.end()
  }
})

test('9: without any usable configuration the boot ends with a clear message', async (t) => {
  const root = new Root(t)
  const boot = await root.boot({ OPENCLAW_CONFIG_B64: base64('{ "a": ') })
  t.is(await boot.ended(), 65)
  t.regex(boot.said, /there is no usable configuration: not starting/)
  t.false(existsSync(path.join(root.state, 'ran.json')))
  t.false(existsSync(root.config))
})

test('9: what the customer changed stays, what we set wins, what we no longer set goes', async (t) => {
  const root = new Root(t)
  await (
    await root.up(config({ gateway: { mode: 'local', port: 1 }, list: [1], old: true, deep: { gone: 1, kept: 1 } }))
  ).end()
  writeFileSync(
    root.config,
    JSON.stringify({
      gateway: { mode: 'remote', port: 1, extra: 'own' },
      list: [9],
      old: true,
      deep: { gone: 1, kept: 1 },
      channels: { telegram: {} },
    }),
  )
  await root.up(config({ gateway: { mode: 'local', port: 2 }, list: [1, 2], deep: { kept: 1 } }))
  t.deepEqual(root.read('openclaw.json'), {
    channels: { telegram: {} },
    gateway: { extra: 'own', mode: 'local', port: 2 },
    list: [1, 2],
    deep: { kept: 1 },
  })
})

test('9: a file that cannot be read is set aside, a volume that cannot be written is left as it is', async (t) => {
  const root = new Root(t)
  writeFileSync(root.config, '// not JSON')
  await (await root.up(config({ a: 1 }))).end()
  t.deepEqual(root.read('openclaw.json'), { a: 1 })
  t.is(readFileSync(`${root.config}.unusable`, 'utf8'), '// not JSON')
  mkdirSync(`${root.config}.tmp`)
  const boot = await root.up(config({ a: 2 }))
  t.deepEqual(root.read('openclaw.json'), { a: 1 })
  t.regex(boot.said, /cannot be written: EISDIR/)
  await boot.end()
  rmSync(root.config)
  const none = await root.boot(config({ a: 2 }))
  t.is(await none.ended(), 73)
})

const tokens = ['OPENCLAW_GATEWAY_TOKEN', 'KIWICLAW_PROXY_TOKEN']

test('10: files are private, and neither the blob nor a token nor the bridge’s key reaches the agent’s environment', async (t) => {
  const root = new Root(t)
  const boot = await root.up()
  t.is(statSync(root.config).mode & 0o777, 0o600)
  t.is(statSync(path.join(root.state, '.moorage', 'config.good')).mode & 0o777, 0o600)
  t.is(statSync(path.join(root.state, 'ran.json')).mode & 0o777, 0o600, 'the gateway’s own files too')
  await until(() => existsSync(path.join(root.state, 'child.json')), 'the child wrote')
  for (const { env } of [root.ran(), root.ran('child.json')]) {
    for (const name of ['OPENCLAW_CONFIG_B64', 'MOORAGE_BRIDGE_KEY', 'MOORAGE_BRIDGE', ...tokens])
      t.is(env[name], undefined, name)
  }
  t.deepEqual(JSON.parse(readFileSync(root.secrets, 'utf8')), { gateway: 'a-gateway-token', llm: 'llm-token' })
  t.is(statSync(root.secrets).mode & 0o777, 0o600)
  t.is(statSync(path.dirname(root.secrets)).mode & 0o777, 0o700)
  t.true(await boot.answers(), 'the child with the same --import did not take the bridge’s port')
})

test('a new boot brings the tokens of its own environment, and none that is not there', async (t) => {
  const root = new Root(t)
  await (await root.up()).end()
  await root.up({ OPENCLAW_GATEWAY_TOKEN: 'another-token', KIWICLAW_PROXY_TOKEN: undefined })
  t.deepEqual(JSON.parse(readFileSync(root.secrets, 'utf8')), { gateway: 'another-token' })
  const nowhere = await root.boot({ MOORAGE_SECRETS_FILE: path.join(root.config, 'secrets.json') })
  t.is(await nowhere.ended(), 73)
})

for (const token of [undefined, '', '   ', 'undefined', 'null']) {
  test(`11: no start with the token ${JSON.stringify(token)}`, async (t) => {
    const root = new Root(t)
    const boot = await root.boot({ OPENCLAW_GATEWAY_TOKEN: token })
    t.is(await boot.ended(), 64)
    t.regex(boot.said, /OPENCLAW_GATEWAY_TOKEN is missing/)
    t.false(existsSync(path.join(root.state, 'ran.json')))
  })
}

test('12: without a private address nothing starts, and never a wildcard', async (t) => {
  const root = new Root(t)
  t.is(await (await root.boot({ FLY_PRIVATE_IP: undefined })).ended(), 64)
  const wildcard = await root.boot({ FLY_PRIVATE_IP: '0.0.0.0' })
  t.is(await wildcard.ended(), 71)
  t.regex(wildcard.said, /not on a name or a wildcard/)
  const keyless = await root.boot({ MOORAGE_BRIDGE_KEY: undefined })
  t.is(await keyless.ended(), 71)
  t.false(existsSync(path.join(root.state, 'ran.json')), 'the gateway never ran')
})

test('12: an address that stays taken ends the machine’s process with 71, so that the restart policy acts', async (t) => {
  const root = new Root(t)
  const squatter = net.createServer().listen(0, '127.0.0.1')
  await once(squatter, 'listening')
  t.teardown(() => squatter.close())
  const port = String((squatter.address() as net.AddressInfo).port)
  const boot = await root.boot({ MOORAGE_BRIDGE_PORT: port, MOORAGE_BRIDGE_BIND_MS: '300' })
  t.is(await boot.ended(), 71)
  t.regex(boot.said, /cannot listen on 127\.0\.0\.1 port \d+/)
})

test('missing files are named', async (t) => {
  const root = new Root(t)
  const bridge = await root.boot({ MOORAGE_BRIDGE_FILE: '/nowhere/bridge.mjs' })
  t.is(await bridge.ended(), 66)
  t.regex(bridge.said, /the bridge is missing at \/nowhere\/bridge\.mjs/)
  const app = await root.boot({ MOORAGE_APP_DIR: '/nowhere' })
  t.is(await app.ended(), 66)
})

test('nothing that is said names a secret', async (t) => {
  const root = new Root(t)
  const boot = await root.up({ OPENCLAW_GATEWAY_TOKEN: 'very-secret-token', OPENCLAW_CONFIG_B64: base64('{"a":1}') })
  await boot.end('SIGTERM')
  t.notRegex(boot.said, /very-secret-token|llm-token/)
})
