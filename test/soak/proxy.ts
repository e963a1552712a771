// Soak: the whole product under mixed traffic while its tenants sleep, wake, move, come and go. Run: npm run soak:proxy
// Options: --minutes 10 --sockets 2000. Prints a table; exits with 1 when anything happened that must not.
import http from 'node:http'
import { parseArgs } from 'node:util'
import { setTimeout as delay } from 'node:timers/promises'
import { flyState } from '../helpers/client.ts'
import { until, withFolder } from '../helpers/processes.ts'
import { disturb, settle } from './chaos.ts'
import { Ledger, type Target } from './ledger.ts'
import { startStage, type Memory, type SoakStage } from './stage.ts'
import { attend, browse, type Traffic } from './traffic.ts'

export interface SoakOptions {
  readonly minutes: number
  readonly sockets: number
  readonly print: (line: string) => void
}

export interface SoakReport {
  readonly ledger: Ledger
  readonly memory: readonly Memory[]
  readonly upstreamsLeft: number
}

const mebi = (bytes: number) => (bytes / 1_048_576).toFixed(1)

function median(numbers: readonly number[], part = 0.5): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN
}

/** The first third of a run's samples and the last, without the start in which everything is opened. */
function thirds(memory: readonly Memory[], of: keyof Memory): readonly [number, number] {
  const settled = memory.slice(Math.ceil(memory.length / 10))
  const third = Math.max(1, Math.floor(settled.length / 3))
  const values = settled.map((one) => one[of])
  return [median(values.slice(0, third)), median(values.slice(-third))]
}

/** A tenth and some pages more are the allocator's; a leak of one request in a hundred is far beyond that in ten minutes. */
const grown = ([first, last]: readonly [number, number]) => last > first * 1.1 + 12 * 1_048_576

async function sample(stage: SoakStage, everyMs: number, going: () => boolean, memory: Memory[]): Promise<void> {
  while (going()) {
    await delay(everyMs)
    memory.push(await stage.memory())
  }
}

/** Nine of ten sockets are with tenants that nothing happens to: none of those may ever be cut. */
function holders(traffic: Traffic, sockets: number, steady: readonly Target[], others: () => readonly Target[]) {
  const one = (index: number) => {
    const fixed = index % 10 === 0 ? undefined : steady[index % steady.length]
    const pick = () => fixed ?? others()[Math.floor(Math.random() * others().length)]
    // Not all at once: a rate limit holds for each tenant.
    return delay((index * 10_000) / Math.max(1_000, sockets)).then(() => attend(traffic, pick, Math.random))
  }
  return Array.from({ length: sockets }, (_, index) => one(index))
}

async function run(stage: SoakStage, { minutes, sockets, print }: SoakOptions): Promise<SoakReport> {
  const small = minutes < 0.5
  const fleet = await settle(stage, small ? { steady: 3, sleeper: 2, disturbed: 3 } : { steady: 8, sleeper: 6, disturbed: 6 }) // prettier-ignore
  print(`${fleet.targets.length} tenants are ready; ${sockets} WebSockets and mixed HTTP for ${minutes} minutes`)
  const ledger = new Ledger()
  const end = Date.now() + minutes * 60_000
  const going = () => Date.now() < end && stage.ended() === undefined
  const agent = new http.Agent({ keepAlive: true, maxSockets: 64 })
  const traffic: Traffic = { port: stage.proxyPort, ledger, agent, going }
  const memory: Memory[] = []
  const all = () => fleet.targets
  const others = () => fleet.targets.filter(({ group }) => group !== 'steady')
  await Promise.all([
    disturb(stage, fleet, ledger, going),
    sample(stage, small ? 1_000 : 10_000, going, memory),
    ...holders(traffic, sockets, fleet.of('steady'), others),
    ...Array.from({ length: small ? 8 : 24 }, (_, index) =>
      browse(traffic, index % 2 === 0 ? all : others, Math.random),
    ),
  ])
  agent.destroy()
  const ended = stage.ended()
  if (ended !== undefined) ledger.violated(`a process ended: ${ended.slice(-500)}`)
  const { calls } = await flyState(stage.fly)
  for (const call of ['machineSuspend', 'machineStart', 'machineCreate']) ledger.count(`Fly ${call}`, calls[call] ?? 0)
  const none = await until('no upstream socket is left', 60_000, () => Promise.resolve(stage.upstreamSockets() === 0 || undefined)).catch(() => false) // prettier-ignore
  return { ledger, memory, upstreamsLeft: none ? 0 : stage.upstreamSockets() }
}

/** Runs the soak, prints what was seen, and tells what must not have happened. */
export async function soak(options: SoakOptions): Promise<SoakReport> {
  return withFolder(async (folder) => {
    const stage = await startStage(folder)
    try {
      return await run(stage, options)
    } finally {
      await stage.close()
    }
  })
}

/** What is wrong, one sentence each. */
export function verdict({ ledger, memory, upstreamsLeft }: SoakReport): readonly string[] {
  const wrong = [...ledger.violations]
  if (upstreamsLeft > 0) wrong.push(`${upstreamsLeft} connections to machines are left`)
  for (const what of ['rss', 'heapUsed'] as const) {
    const [first, last] = thirds(memory, what)
    if (grown([first, last])) wrong.push(`${what} grew from ${mebi(first)} to ${mebi(last)} MiB`)
  }
  return wrong
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { minutes: { type: 'string', default: '10' }, sockets: { type: 'string', default: '2000' } },
  })
  const print = (line: string) => void process.stdout.write(`${line}\n`)
  const report = await soak({ minutes: Number(values.minutes), sockets: Number(values.sockets), print })
  for (const [what, count] of [...report.ledger.counts].sort()) print(`${what.padEnd(44)}${String(count).padStart(9)}`)
  const { times } = report.ledger
  print(
    `answer’s head, steady tenants, ms: p50 ${median(times)}, p99 ${median(times, 0.99)}, most ${Math.max(...times)}`,
  )
  for (const what of ['rss', 'heapUsed', 'external'] as const) {
    const [first, last] = thirds(report.memory, what)
    print(`proxy ${what}, MiB: first third ${mebi(first)}, last third ${mebi(last)}`)
  }
  print(`connections to machines at the end: ${report.upstreamsLeft}`)
  const wrong = verdict(report)
  for (const sentence of wrong) print(`WRONG: ${sentence}`)
  print(wrong.length === 0 ? 'nothing is wrong' : `${wrong.length} things are wrong`)
  process.exitCode = wrong.length === 0 ? 0 : 1
}

if (import.meta.main) await main()
