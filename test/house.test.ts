// The house rules that a compiler does not check: who may import whom, and how long a file may be.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import test from 'ava'

const root = resolve(import.meta.dirname, '..')
const rooms = ['specs', 'boot', 'reconciler', 'proxy', 'src'] as const
type Room = (typeof rooms)[number]

/** Imports point one way. */
const mayImport: Readonly<Record<Room, readonly Room[]>> = {
  specs: [],
  boot: ['specs'],
  reconciler: ['specs', 'boot'],
  proxy: ['specs'],
  src: ['specs', 'boot', 'reconciler', 'proxy'],
}

/** The packages that a room needs; everything that talks to the outside is in src and proxy. */
const packages: Readonly<Record<Exclude<Room, 'src'>, readonly string[]>> = {
  specs: ['zod', 'yaml'],
  boot: [],
  reconciler: [],
  proxy: ['koa', 'http-proxy-middleware', 'prom-client'],
}

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(ts|mjs)$/.test(file))
    .map((file) => join(folder, file))
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8')
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, name]) => name ?? '')
}

for (const room of rooms)
  test(`${room} imports only what lies below it`, (t) => {
    for (const file of sources(room))
      for (const name of importsOf(file)) {
        if (name.startsWith('.')) {
          const target = relative(root, resolve(root, dirname(file), name)).split('/')[0] as Room
          t.true(target === room || mayImport[room].includes(target), `${file} imports ${name}`)
        } else if (room !== 'src' && !name.startsWith('node:'))
          t.true(packages[room].includes(name), `${file} imports the package ${name}`)
      }
  })

test('the core does no I/O: no room but src and proxy imports a Node module that reaches outside', (t) => {
  const outside = /^node:(fs|net|http|https|child_process|dns|tls|sqlite|worker_threads|os|timers)/
  for (const room of ['specs', 'reconciler'])
    for (const file of sources(room))
      for (const name of importsOf(file)) t.notRegex(name, outside, `${file} imports ${name}`)
})

test('no file is longer than 300 lines, no test longer than 400', (t) => {
  const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: root })
  for (const file of files.toString().split('\n')) {
    if (!/\.(ts|mjs|sh)$/.test(file)) continue
    const lines = readFileSync(join(root, file), 'utf8').split('\n').length - 1
    t.true(lines <= (file.startsWith('test/') ? 400 : 300), `${file} has ${lines} lines`)
  }
})

test('only src/config.ts and programs of their own read the environment', (t) => {
  const allowed = ['src/config.ts', 'src/main.ts', 'src/cli/main.ts', 'src/sim-process.ts', 'src/sim/']
  for (const file of rooms.flatMap(sources).filter((name) => name.endsWith('.ts'))) {
    if (allowed.some((start) => file.startsWith(start))) continue
    t.notRegex(readFileSync(join(root, file), 'utf8'), /process\.env/, file)
  }
})
