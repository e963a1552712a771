// The prepare command, run by a real shell with a stand-in for playwright-core: idempotent, patient, and honest about failure.
import test from 'ava'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { PREPARE_AGAIN, prepareCommand } from '../../boot/machine.ts'

// Counts its runs, fails while there is a reason to, and takes until it may end.
const cli = `
const fs = require('node:fs')
fs.appendFileSync('runs', process.argv.slice(2).join(' ') + '\\n')
if (fs.existsSync('broken')) throw new Error('apt has no network')
const wait = setInterval(() => fs.existsSync('hold') || clearInterval(wait), 20)`

function machine() {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'moorage-prepare-'))
  const app = path.join(folder, 'app')
  mkdirSync(path.join(app, 'node_modules', 'playwright-core'), { recursive: true })
  writeFileSync(path.join(app, 'node_modules', 'playwright-core', 'cli.js'), cli)
  const env = {
    PATH: `${path.dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
    MOORAGE_APP_DIR: app,
    MOORAGE_PREPARE_DIR: path.join(folder, 'state'),
    MOORAGE_PREPARE_WAIT: '2',
  }
  const [program = '', ...args] = prepareCommand()
  return {
    file: (name: string) => path.join(app, name),
    runs: () =>
      existsSync(path.join(app, 'runs')) ? readFileSync(path.join(app, 'runs'), 'utf8').split('\n').slice(0, -1) : [],
    prepare: async () => {
      const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
      let said = ''
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += String(chunk)))
      const [code] = (await once(child, 'close')) as [number]
      return { code, said }
    },
  }
}

const linux = spawnSync('setsid', ['true']).status === 0 ? test : test.skip

linux('it installs once, with the image’s own playwright-core', async (t) => {
  const { prepare, runs } = machine()
  t.deepEqual(await prepare(), { code: 0, said: '' })
  t.deepEqual(await prepare(), { code: 0, said: '' })
  t.deepEqual(runs(), ['install-deps chromium'])
})

linux('work that takes longer goes on, and a further call waits for the same work', async (t) => {
  const { prepare, runs, file } = machine()
  writeFileSync(file('hold'), '')
  const first = await prepare()
  t.is(first.code, PREPARE_AGAIN)
  t.regex(first.said, /call again/)
  t.is((await prepare()).code, PREPARE_AGAIN)
  spawnSync('rm', [file('hold')])
  t.is((await prepare()).code, 0)
  t.is(runs().length, 1)
})

linux('a failure is told with its reason, and the next call tries anew', async (t) => {
  const { prepare, runs, file } = machine()
  writeFileSync(file('broken'), '')
  const failed = await prepare()
  t.is(failed.code, 1)
  t.regex(failed.said, /apt has no network/)
  spawnSync('rm', [file('broken')])
  t.is((await prepare()).code, 0)
  t.is(runs().length, 2)
})

test('the command has no complaint from shellcheck, and is seen as an install by the simulator', (t) => {
  const [, , script = '', , worker = ''] = prepareCommand()
  t.regex(prepareCommand().join(' '), /install-deps/)
  for (const text of [script, worker]) {
    const check = spawnSync('shellcheck', ['--shell=sh', '--exclude=SC2164,SC2154', '-'], {
      input: text,
      encoding: 'utf8',
    })
    if (check.error !== undefined) t.log('shellcheck is not installed: not run')
    else t.is(check.stdout, '')
  }
})
