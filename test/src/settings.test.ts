// The settings: from the environment, a YAML file and files with secrets; what is refused, and the README's table.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { defaultLimits } from '../../proxy/limits.ts'
import { ConfigError, readConfig } from '../../src/config.ts'
import { settingRows } from '../../src/settings.ts'

function folderOf(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'moorage-settings-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  return folder
}

function yaml(t: ExecutionContext, text: string): string {
  const path = join(folderOf(t), 'moorage.yaml')
  writeFileSync(path, text)
  return path
}

const refusal = (t: ExecutionContext, environment: NodeJS.ProcessEnv) =>
  t.throws(() => readConfig(environment), { instanceOf: ConfigError }).message.split('\n')

test('the README has one row for each setting, as the schema has it', (t) => {
  const path = resolve(import.meta.dirname, '..', '..', 'README.md')
  const text = readFileSync(path, 'utf8')
  const [, section = ''] = /## Settings\n([\s\S]*?)\n## /.exec(text) ?? []
  const expected = settingRows().map(({ name, fallback, meaning }) => [name, fallback, meaning].join(' | '))
  if (process.env['UPDATE_SETTINGS'] === '1') {
    const table = ['name | default | meaning', '--- | --- | ---', ...expected].map((row) => `| ${row} |`).join('\n')
    writeFileSync(path, text.replace(/(## Settings\n[^|]*)(?:\|.*\n)+/, `$1${table}\n`))
    t.pass('written: format it with prettier')
    return
  }
  const rows = [...section.matchAll(/^\| (.*) \|$/gm)].map(([, row = '']) =>
    row
      .split(/ \| /)
      .map((cell) => cell.trim())
      .join(' | '),
  )
  t.deepEqual(rows.slice(2), expected)
})

test('without settings the proxy has the limits that it has by itself', (t) => {
  const { limits, logSample } = readConfig({}).proxy
  t.deepEqual({ ...defaultLimits, ...limits }, defaultLimits)
  t.is(logSample, 1)
})

test('the proxy’s limits are set in people’s units', (t) => {
  const { proxy } = readConfig({
    MOORAGE_PROXY_BODY_MIB: '0.5',
    MOORAGE_PROXY_IDLE_SECONDS: '1.5',
    MOORAGE_PROXY_HELD: '7',
    MOORAGE_PROXY_LOG_SAMPLE: '0.01',
  })
  t.like(proxy, { logSample: 0.01, limits: { bodyBytes: 524_288, idleMs: 1_500, held: 7 } })
  for (const wrong of ['0', '-1', 'many', 'Infinity'])
    t.is(refusal(t, { MOORAGE_PROXY_CONCURRENCY: wrong }).length, 1, wrong)
})

test('a YAML file sets what the environment does not', (t) => {
  const path = yaml(
    t,
    'apiPort: 1234\nMOORAGE_PROXY_PORT: 1235\nroles: [api, proxy]\nflyOrg: 0123\nhost: # nothing\nproxyRate: 5\n',
  )
  const config = readConfig({ MOORAGE_CONFIG: path, MOORAGE_API_PORT: '4321' })
  t.like(config, { apiPort: 4321, proxyPort: 1235, host: '127.0.0.1' })
  t.deepEqual([...config.roles], ['api', 'proxy'])
  t.is(config.fly.org, '0123', 'as it stands in the file')
  t.is(config.proxy.limits.ratePerSecond, 5)
  t.is(readConfig({ MOORAGE_CONFIG: yaml(t, '# nothing yet\n') }).apiPort, 7070)
})

test('what is wrong in the YAML file is told with its line, all at once, without values', (t) => {
  const path = yaml(
    t,
    'apiPort: 70000\napiPrt: canary\nmasterKey: canary\ndomain: {canary: 1}\nMOORAGE_API_PORT: 1\nsimSeed: 1\n',
  )
  t.deepEqual(refusal(t, { MOORAGE_CONFIG: path }), [
    `${path}:2: apiPrt is not a setting of Moorage`,
    `${path}:4: domain: must be one value, or a list of values`,
    `${path}:5: MOORAGE_API_PORT: ${path}:1: apiPort sets the same`,
    `${path}:1: apiPort: Too big: expected number to be <=65535`,
    `${path}:3: masterKey: must be 32 bytes in base64url (43 characters)`,
  ])
  const broken = yaml(t, 'apiPort: 1\nmasterKey: "canary\n')
  const [sentence = '', ...others] = refusal(t, { MOORAGE_CONFIG: broken })
  t.deepEqual(others, [])
  t.regex(sentence, /moorage\.yaml:\d+: is not YAML/)
  t.notRegex(sentence, /canary/)
  t.deepEqual(refusal(t, { MOORAGE_CONFIG: yaml(t, '- apiPort') }).length, 1)
  t.regex(refusal(t, { MOORAGE_CONFIG: '/nowhere.yaml' }).join(), /nowhere\.yaml cannot be read \(ENOENT\)/)
})

test('a secret may come from a file of its own, and only a secret', (t) => {
  const folder = folderOf(t)
  const path = join(folder, 'key')
  const key = 'k'.repeat(43)
  writeFileSync(path, `${key}\n`)
  t.is(readConfig({ MOORAGE_MASTER_KEY_FILE: path }).masterKey, key)
  t.is(readConfig({ MOORAGE_CONFIG: yaml(t, `masterKeyFile: ${path}\n`) }).masterKey, key)
  const other = 'o'.repeat(43)
  const both = { MOORAGE_CONFIG: yaml(t, `masterKeyFile: ${path}\n`), MOORAGE_MASTER_KEY: other }
  t.is(readConfig(both).masterKey, other, 'the environment goes first')
  t.regex(refusal(t, { MOORAGE_MASTER_KEY_FILE: path, MOORAGE_MASTER_KEY: key }).join(), /sets the same/)
  t.deepEqual(refusal(t, { MOORAGE_MASTER_KEY_FILE: join(folder, 'none') }), [
    'MOORAGE_MASTER_KEY_FILE: the file cannot be read (ENOENT)',
  ])
  t.deepEqual(refusal(t, { MOORAGE_HOST_FILE: path }), ['MOORAGE_HOST_FILE is not a setting of Moorage'])
  t.deepEqual(refusal(t, { FLY_API_TOKEN_FILE: path }).length, 1, 'and then FLY_APP is wanted')
})
