// Every command in a document is run, as it stands, with only the ports and the data folder put in.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { readConfig } from '../../src/config.ts'
import { converged, tenant } from '../helpers/client.ts'
import { startMoorage, withFolder, type Moorage } from '../helpers/processes.ts'

const root = resolve(import.meta.dirname, '..', '..')
const run = promisify(execFile)

function blocks(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8')
  return [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block ?? '')
}

const readme = blocks('README.md')
/** Blocks that start npm itself cannot be run inside npm's own test; their scripts must exist. */
const ofNpm = readme.filter((block) => /^npm (?!run -s moor)/m.test(block))
const ofFly = readme.filter((block) => block.includes('FLY_API_TOKEN='))
const trials = readme.filter((block) => !ofNpm.includes(block) && !ofFly.includes(block))

function fill(block: string, moorage: Moorage, folder: string): string {
  return block
    .replaceAll('127.0.0.1:7070', new URL(moorage.api).host)
    .replaceAll(/(localhost|127\.0\.0\.1):7080/g, `$1:${moorage.proxyPort}`)
    .replaceAll('127.0.0.1:7090', new URL(moorage.fly).host)
    .replaceAll('.moorage/', `${folder}/`)
}

test('the README’s commands work, one after the other, in one shell', (t) => {
  t.timeout(360_000)
  return withFolder(async (folder) => {
    const moorage = await startMoorage(folder)
    try {
      await converged(moorage, 'acme')
      // A refused request is a failed command here, where a reader would just see the problem.
      const shell = [
        'set -eu',
        `export MOORAGE_API=${moorage.api} MOORAGE_DATA=${folder}`,
        'curl() { command curl --silent --show-error --fail-with-body "$@"; echo; }',
      ]
      const script = [...shell, ...trials.map((block) => fill(block, moorage, folder))].join('\n')
      const { stdout } = await run('bash', ['-c', script], { cwd: root, timeout: 300_000 })
      t.regex(stdout, /acme|Moorage|uid/i)
      t.regex(stdout, /^ahoy$/m)
      t.regex(stdout, /hooli is being deleted/)
      t.is((await tenant(moorage, 'hooli')).spec.state, 'running')
      t.true(trials.length >= 9)
    } finally {
      await moorage.end('SIGTERM')
    }
  })
})

test('the scripts that documents name exist', (t) => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  for (const file of ['README.md', 'CONTRIBUTING.md', 'src/README.md', 'src/sim/README.md'])
    for (const [, name] of readFileSync(join(root, file), 'utf8').matchAll(/npm (?:run )?(?:-s )?([a-z][a-z:]*)/g))
      t.true(name === 'ci' || (name ?? '') in scripts, `${file}: npm ${name ?? ''}`)
})

test('the settings for the real Fly are settings', (t) => {
  const block = ofFly.join('\n')
  const names = [...block.matchAll(/\b([A-Z][A-Z_]+)=/g)].map(([, name]) => name ?? '')
  t.true(names.length >= 6)
  const sample: Record<string, string> = {
    MONGODB_URI: 'mongodb://db/moorage',
    MOORAGE_MASTER_KEY: 'A'.repeat(43),
    MOORAGE_DOMAIN: 'example.com',
    MOORAGE_ENV: 'production',
  }
  t.notThrows(() => readConfig(Object.fromEntries(names.map((name) => [name, sample[name] ?? 'x']))))
})
