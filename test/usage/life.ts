// A machine's life as Fly would tell it, and a ledger in memory that keeps what a set of entries keeps.
import fc from 'fast-check'
import type { FleetReading, ObservedMachine, StateChange } from '../../reconciler/observed.ts'
import type { Known, KnownMachine, News, SeenMachine } from '../../reconciler/usage/derive.ts'
import { hasEnded } from '../../reconciler/usage/derive.ts'
import type { Change, SizeChange } from '../../reconciler/usage/ledger.ts'
import type { UsageSource, UsageStore } from '../../reconciler/usage/recorder.ts'

export const born = Date.UTC(2026, 9, 20)
export const small = { cpuKind: 'shared', cpus: 1, memoryMb: 1024 }

export type Life = readonly StateChange[]

const states = ['starting', 'started', 'suspending', 'suspended', 'stopping', 'stopped', 'replacing'] as const

/** Ways from one state into others, each with its time; some in the same millisecond. */
export const life: fc.Arbitrary<Life> = fc
  .array(fc.record({ afterMs: fc.integer({ min: 0, max: 30 * 3_600_000 }), state: fc.constantFrom(...states) }), {
    minLength: 1,
    maxLength: 25,
  })
  .map((steps) => {
    let at = born
    const rest = steps.map(({ afterMs, state }) => ({ at: (at += afterMs), state }))
    return [{ at: born, state: 'created' as const }, ...rest].filter(
      ({ state }, index, all) => index === 0 || all[index - 1]?.state !== state,
    )
  })

/** What Fly shows of the machine at a time: the last `most` events. */
export function seenAt(changes: Life, at: number, most = 50): SeenMachine | undefined {
  const past = changes.filter((change) => change.at <= at)
  const last = past.at(-1)
  if (last === undefined) return undefined
  const fixed = { id: 'm1', uid: 'u1', region: 'iad', createdAt: born, size: small }
  return { ...fixed, state: last.state, updatedAt: last.at, changes: past.slice(-most) }
}

export function readingAt(changes: Life, at: number, most?: number): FleetReading {
  const seen = seenAt(changes, at, most)
  if (seen === undefined || seen.state === 'destroyed') return { at, machines: [], volumes: [] }
  const rest = { name: 'kc-test-u1-1', incarnation: 1, address: '', metadata: {}, contentHash: '', mount: undefined }
  const machine: ObservedMachine = { ...seen, ...rest, state: seen.state, version: 'v', hostOk: true }
  return { at, machines: [machine], volumes: [] }
}

export const tellsAll = (changes: Life, now: () => number): UsageSource => ({
  machine: () => Promise.resolve(seenAt(changes, now())),
  volume: () => Promise.resolve(undefined),
})

export interface MemoryLedger extends UsageStore {
  readonly changes: () => readonly Change[]
  readonly sizes: () => readonly SizeChange[]
  writes: number
  /** The next write fails; `true`: after it went through. */
  fail: 'before' | 'between' | 'after' | undefined
}

export function memoryLedger(): MemoryLedger {
  const [changes, sizes, things] = [new Map<string, Change>(), new Map<string, SizeChange>(), new Map<string, Known>()]
  const add = <T>(map: Map<string, T>, value: T) => void map.set(JSON.stringify(value), value)
  const ledger: MemoryLedger = {
    writes: 0,
    fail: undefined,
    changes: () => [...changes.values()],
    sizes: () => [...sizes.values()],
    open: () => Promise.resolve([...things.values()].filter((thing) => !hasEnded(thing))),
    append: async (news: readonly News[]) => {
      const { fail } = ledger
      ledger.fail = undefined
      if (fail === 'before') throw new Error('crash')
      ledger.writes += 1
      const machines = news.filter((one): one is Extract<News, { known: KnownMachine }> => one.known.kind === 'machine')
      for (const one of machines) for (const change of one.changes) add(changes, change)
      if (fail === 'between') throw new Error('crash')
      for (const one of machines) {
        things.set(one.known.id, one.known)
        if (one.size !== undefined) add(sizes, one.size)
      }
      await Promise.resolve()
      if (fail === 'after') throw new Error('crash')
    },
  }
  return ledger
}
