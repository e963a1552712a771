// Benchmark: this proxy beside others on this machine, in one run, as ratios. Run: npm run bench:proxy -- --help
// Each round asks every proxy once, and ratios are taken inside a round. Trust them, not the absolute numbers.
import { fork, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Load, Times } from './proxy-load.ts'
import type { Settings, Usage } from './proxy-peers.ts'

const script = join(import.meta.dirname, 'proxy-parts.ts')
const print = (text: string) => process.stdout.write(`${text}\n`)
const has = (program: string, flag: string) => spawnSync(program, [flag]).error === undefined

interface Part<Ready> {
  readonly ready: Ready
  ask<Answer>(what: string, given?: object): Promise<Answer>
  end(): void
}

const children = new Set<ChildProcess>()
const pinned = has('taskset', '-V')

/** Proxies have one core for themselves, load and upstream share another. */
async function startPart<Ready>(name: string, settings: object = {}, execArgv: string[] = []): Promise<Part<Ready>> {
  const child = fork(script, [name, JSON.stringify(settings)], { execArgv })
  children.add(child)
  const core = name === 'upstream' || name === 'load' ? '1' : '0'
  if (pinned) spawnSync('taskset', ['-acp', core, String(child.pid)])
  // A part that dies must not leave the others waiting.
  child.once('exit', (code) => {
    if (!children.has(child)) return
    print(`the part ${name} has ended (${code})`)
    process.exit(1)
  })
  const [ready] = (await once(child, 'message')) as [Ready]
  return {
    ready,
    ask: async <Answer>(what: string, given: object = {}) => {
      child.send({ what, given })
      const [answer] = (await once(child, 'message')) as [Answer]
      return answer
    },
    end: () => {
      children.delete(child)
      child.disconnect()
    },
  }
}

type Proxy = Part<{ port: number }>

interface Bench {
  readonly loader: Part<object>
  readonly settings: Settings
  readonly ms: number
}

interface Subject extends Bench {
  readonly name: string
  /** None: the upstream itself is asked. */
  readonly proxy: Proxy | undefined
}

type Figures = Readonly<Record<string, number>>

/** Runs a load, and tells what it cost the proxy for each thing that was counted. */
async function cost(subject: Subject, what: string, given: object): Promise<{ times: Times; cpu: number }> {
  const { proxy, loader, settings, ms } = subject
  const load: Load = { port: proxy?.ready.port ?? settings.plainPort, tenants: settings.tenants, ms, ...given }
  const before = await proxy?.ask<Usage>('usage')
  const times = await loader.ask<Times>(what, load)
  const after = await proxy?.ask<Usage>('usage')
  if (times.failed > 0) print(`${subject.name}: ${times.failed} of ${times.count} failed`)
  return { times, cpu: before && after ? (after.cpuMicros - before.cpuMicros) / times.count : NaN }
}

/** So many requests, or so many seconds: a cold proxy measures the compiler, and connections that have ended meanwhile. */
async function warm(subject: Subject, wanted: number): Promise<void> {
  let count = 0
  for (let half = 0; half < 24 && count < wanted; half += 1)
    count += (await cost({ ...subject, ms: 500 }, 'crowd', { path: '/', connections: 64 })).times.count
}

const requests = (path: string) => async (subject: Subject) => {
  await warm(subject, 2_500)
  const { times, cpu } = await cost(subject, 'crowd', { path, connections: 64 })
  return { 'per s': times.count / times.seconds, 'p50 ms': times.p50, 'p99 ms': times.p99, 'CPU us': cpu }
}

async function latency(subject: Subject): Promise<Figures> {
  await warm(subject, 2_500)
  const one = await cost(subject, 'bursts', { connections: 1, everyMs: 5 })
  const twenty = await cost(subject, 'bursts', { connections: 20, everyMs: 20 })
  return { 'one p50': one.times.p50, 'one p99': one.times.p99, '20 p50': twenty.times.p50, '20 p99': twenty.times.p99 }
}

async function sockets(subject: Subject): Promise<Figures> {
  const opened = await cost(subject, 'connects', { count: subject.ms / 2 })
  const sent = await cost(subject, 'messages', { connections: 100 })
  return {
    'connects/s': opened.times.count / opened.times.seconds,
    'CPU us/connect': opened.cpu,
    'messages/s': sent.times.count / sent.times.seconds,
    'CPU us/message': sent.cpu,
  }
}

async function streams(subject: Subject): Promise<Figures> {
  const { times, cpu } = await cost(subject, 'events', { connections: 200 })
  return { 'events/s': times.count / times.seconds, 'CPU us': cpu, 'age p50': times.p50, 'age p99': times.p99 }
}

/** Memory of a fresh proxy per idle WebSocket: the slope between 1,000 and 5,000. */
async function memory({ name, proxy, loader, settings }: Subject): Promise<Figures> {
  if (proxy === undefined) return { KiB: NaN }
  const fresh = await startPart<{ port: number }>(name, settings)
  const to = { port: fresh.ready.port, tenants: settings.tenants }
  await loader.ask('hold', { ...to, count: 1_000 })
  const before = await fresh.ask<Usage>('usage')
  await loader.ask('hold', { ...to, count: 4_000 })
  const after = await fresh.ask<Usage>('usage')
  await loader.ask('drop', { half: false })
  fresh.end()
  return { KiB: (after.rss - before.rss) / 4_000 / 1_024 }
}

const measures = {
  small: { about: '13 bytes, 64 connections', run: requests('/') },
  large: { about: '64 KiB, 64 connections', run: requests('/64k') },
  latency: { about: 'milliseconds, one at a time, and 20 at once', run: latency },
  socket: { about: 'WebSockets: connects (20 at a time), messages of 32 bytes (100 sockets)', run: sockets },
  sse: { about: '200 streams of 20 events/s', run: streams },
  memory: { about: 'KiB per idle WebSocket, from 1,000 to 5,000', run: memory },
} as const

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    tenants: { type: 'string', default: '1,10000' },
    peers: { type: 'string', default: 'direct,nginx,raw,chp,ours' },
    only: { type: 'string', default: Object.keys(measures).join() },
    best: { type: 'boolean', default: false },
    leak: { type: 'boolean', default: false },
    profile: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

const middle = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN
const fixed = (value: number) => (Number.isNaN(value) ? '-' : value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2))

/** On a busy machine others only ever make a figure worse: of several rounds the best is nearest to the truth. */
const best = (key: string, values: readonly number[]) =>
  values.every(Number.isNaN) ? NaN : Math[key.endsWith(' s') || key.endsWith('/s') ? 'max' : 'min'](...values)

/** Each figure's median, and behind it the median of its ratios to the raw proxy in the same round; or the best of both. */
function table(title: string, rounds: readonly ReadonlyMap<string, Figures>[]): void {
  print(`\n${title}`)
  const [first = new Map<string, Figures>()] = rounds
  const keys = Object.keys([...first.values()].at(0) ?? {})
  print(['', ...keys].map((key, index) => (index === 0 ? key.padEnd(8) : key.padStart(18))).join(''))
  for (const name of first.keys()) {
    const cells = keys.map((key) => {
      const of = (peer: string) => rounds.map((round) => round.get(peer)?.[key] ?? NaN)
      const [own, raw] = [of(name), of('raw')]
      const ratios = own.map((value, at) => value / (raw[at] ?? NaN))
      if (options.best) return `${fixed(best(key, own))} (${fixed(best(key, own) / best(key, raw))})`
      return `${fixed(middle(own))} (${fixed(middle(ratios))})`
    })
    print(name.padEnd(8) + cells.map((cell) => cell.padStart(18)).join(''))
  }
}

async function withSubjects(tenants: number, use: (subjects: readonly Subject[]) => Promise<void>): Promise<void> {
  const upstream = await startPart<Omit<Settings, 'tenants'>>('upstream')
  const bench: Bench = {
    loader: await startPart<object>('load'),
    settings: { tenants, ...upstream.ready },
    ms: Number(options.seconds) * 1_000,
  }
  const subjects: Subject[] = []
  for (const name of options.peers.split(',')) {
    if (name === 'nginx' && !has('nginx', '-v')) print('nginx is not installed: left out')
    else if (name === 'direct') subjects.push({ ...bench, name, proxy: undefined })
    else {
      const profile = options.profile !== undefined && name === 'ours' ? ['--cpu-prof', `--cpu-prof-dir=${options.profile}`] : [] // prettier-ignore
      subjects.push({ ...bench, name, proxy: await startPart<{ port: number }>(name, bench.settings, profile) })
    }
  }
  // Connections to every tenant that is asked exist before anything is measured, and the code is compiled.
  for (const subject of subjects) await warm(subject, 20_000)
  await use(subjects)
  for (const part of [...subjects.map(({ proxy }) => proxy), upstream, bench.loader]) part?.end()
}

async function compare(tenants: number): Promise<void> {
  await withSubjects(tenants, async (subjects) => {
    for (const [name, { about, run }] of Object.entries(measures)) {
      if (!options.only.split(',').includes(name)) continue
      const rounds: Map<string, Figures>[] = []
      for (let round = 0; round < (name === 'memory' ? 1 : Number(options.rounds)); round += 1) {
        rounds.push(new Map())
        for (const subject of subjects) rounds.at(-1)?.set(subject.name, await run(subject))
      }
      table(`${name}, ${tenants} tenant${tenants === 1 ? '' : 's'}: ${about} (in brackets: to raw)`, rounds)
    }
  })
}

/** Ten times 5,000 WebSockets, half of them reset by their clients and half ended by the proxy: nothing may be left. */
async function leak(): Promise<void> {
  const upstream = await startPart<Omit<Settings, 'tenants'>>('upstream')
  const loader = await startPart<object>('load')
  const settings = { tenants: 1_000, ...upstream.ready }
  const proxy = await startPart<{ port: number }>('ours', settings)
  for (let round = 1; round <= 10; round += 1) {
    await loader.ask('hold', { port: proxy.ready.port, tenants: settings.tenants, count: 5_000 })
    const open = await proxy.ask<Usage>('usage')
    await loader.ask('drop', { half: true })
    await proxy.ask('drain')
    let after = await proxy.ask<Usage>('usage')
    for (let wait = 0; after.left !== 0 && wait < 20; wait += 1) {
      await new Promise((resolve) => setTimeout(resolve, 500))
      after = await proxy.ask<Usage>('usage')
    }
    print(`round ${round}: ${open.left} sockets, left ${after.left}, memory ${fixed(after.rss / 1_048_576)} MiB`)
    await loader.ask('drop', { half: false })
  }
  for (const part of [proxy, loader, upstream]) part.end()
}

process.on('exit', () => {
  for (const child of children) child.kill()
})
if (options.help)
  print(`--seconds 2 --rounds 3 --tenants 1,10000 --peers direct,nginx,raw,chp,ours --profile <folder>
--best (of the rounds, for a busy machine; else the median)
--only ${Object.keys(measures).join()}, or --leak alone: 10 rounds of 5,000 WebSockets`) // prettier-ignore
else if (options.leak) await leak()
else for (const tenants of options.tenants.split(',')) await compare(Number(tenants))
