// Benchmark: this proxy beside others on this machine, in one run, as ratios. Run: npm run bench:proxy -- <seconds per figure>
// The proxies that are not installed (nginx) are left out. Trust the ratios and the CPU per request, not the absolute numbers.
import { fork, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Load, Measured, Settings, Usage } from './proxy-parts.ts'

const script = join(import.meta.dirname, 'proxy-parts.ts')
const [seconds = '3'] = process.argv.slice(2)
const ms = Number(seconds) * 1_000
const connections = 64
const print = (text: string) => process.stdout.write(`${text}\n`)

interface Part<Ready> {
  readonly ready: Ready
  ask<Answer>(what: string, given?: object): Promise<Answer>
  end(): void
}

const children = new Set<ChildProcess>()

async function startPart<Ready>(name: string, settings: object = {}): Promise<Part<Ready>> {
  const child = fork(script, [name, JSON.stringify(settings)])
  children.add(child)
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

interface Figures extends Measured {
  readonly perSecond: number
  /** Microseconds of the proxy's CPU; NaN without a proxy. */
  readonly cpu: number
}

async function measure(proxy: Part<{ port: number }> | undefined, loader: Part<object>, load: Load): Promise<Figures> {
  await loader.ask('load', { ...load, ms: 1_000 })
  const before = await proxy?.ask<Usage>('usage')
  const measured = await loader.ask<Measured>('load', load)
  const after = await proxy?.ask<Usage>('usage')
  const cpu = before && after ? (after.cpuMicros - before.cpuMicros) / measured.requests : NaN
  return { ...measured, perSecond: measured.requests / measured.seconds, cpu }
}

/** Bytes of a fresh proxy's memory per idle WebSocket: the slope between 500 and 2,500. */
async function memory(name: string, loader: Part<object>, settings: Settings): Promise<number> {
  const proxy = await startPart<{ port: number }>(name, settings)
  const to = { port: proxy.ready.port, tenants: settings.tenants }
  await loader.ask('hold', { ...to, count: 500 })
  const before = await proxy.ask<Usage>('usage')
  await loader.ask('hold', { ...to, count: 2_000 })
  const after = await proxy.ask<Usage>('usage')
  proxy.end()
  return (after.rss - before.rss) / 2_000
}

const fixed = (value: number, digits = 2) => (Number.isNaN(value) ? '-' : value.toFixed(digits))

interface Row {
  readonly name: string
  readonly small: Figures
  readonly large: Figures
  readonly socket: number
}

function table(tenants: number, rows: readonly Row[]): void {
  const raw = rows.find(({ name }) => name === 'raw')
  const heads = ['proxy', 'req/s', 'x raw', 'p50 ms', 'p99 ms', 'CPU us', '64k x raw', '64k CPU us', 'KiB/WebSocket', 'failed'] // prettier-ignore
  const widths = heads.map((head) => Math.max(head.length, 8))
  const line = (cells: readonly string[]) => cells.map((cell, index) => cell.padStart(widths[index] ?? 0)).join('  ')
  print(`\n${tenants} tenant${tenants === 1 ? '' : 's'}, ${connections} connections, 13 bytes and 64 KiB`)
  print(line(heads))
  for (const { name, small, large, socket } of rows) {
    const ratio = (own: Figures, other: Figures | undefined) => fixed(own.perSecond / (other?.perSecond ?? NaN))
    const cells = [name, fixed(small.perSecond, 0), ratio(small, raw?.small), fixed(small.p50), fixed(small.p99)]
    const more = [fixed(small.cpu, 0), ratio(large, raw?.large), fixed(large.cpu, 0), fixed(socket / 1_024, 1)]
    print(line([...cells, ...more, String(small.failed + large.failed)]))
  }
}

async function compare(tenants: number, peers: readonly string[]): Promise<void> {
  const upstream = await startPart<Omit<Settings, 'tenants'>>('upstream')
  const loader = await startPart<object>('loader')
  const rows: Row[] = []
  for (const name of ['direct', ...peers]) {
    const proxy =
      name === 'direct' ? undefined : await startPart<{ port: number }>(name, { tenants, ...upstream.ready })
    const port = proxy?.ready.port ?? upstream.ready.plainPort
    const load = { port, connections, tenants, ms }
    const small = await measure(proxy, loader, { ...load, path: '/' })
    const large = await measure(proxy, loader, { ...load, path: '/64k' })
    proxy?.end()
    const settings = { tenants, ...upstream.ready }
    const socket = proxy === undefined ? NaN : await memory(name, loader, settings)
    rows.push({ name, small, large, socket })
  }
  upstream.end()
  loader.end()
  table(tenants, rows)
}

const installed = spawnSync('nginx', ['-v']).error === undefined ? ['nginx'] : []
if (installed.length === 0) print('nginx is not installed: left out')
try {
  for (const tenants of [1, 10_000]) await compare(tenants, ['raw', 'chp', ...installed, 'ours'])
} finally {
  for (const child of children) child.kill()
}
