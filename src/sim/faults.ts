// What goes wrong on purpose: rules that match a call or an object, fire a number of times or for a while, and go away.
import * as z from 'zod'
import type { Clock } from '../../specs/clock.ts'
import { parse } from './machine-config.ts'
import type { Latency } from './latency.ts'
import type { FaultRecord } from './state.ts'
import type { Store } from './store.ts'
import { ulid } from './ids.ts'

/** Every kind of fault, with what it does. */
export const faultKinds = {
  status: 'answers with `status` and `body` (or `text` as it is, and `headers`) instead of doing anything',
  lostBefore: 'drops the connection before any effect',
  lostReply: 'lets the effect happen, then drops the connection without an answer',
  garbled: 'lets the effect happen, then answers 200 with `text` that nobody can read',
  delay: 'waits `ms` before the call takes effect',
  outage: 'drops every API connection (or answers `status`) while machines keep running',
  emptyList: 'lists answer with nothing',
  partialList: 'lists leave out a `fraction` (0.5) of what there is',
  listLag: 'lists are up to 15 s × scale (or `ms`) behind, for what is new and for what is gone',
  capacity: 'creates, starts and updates find no room; placements lack the region',
  hostDown: "the machine's host is unreachable: no config, no changes, and the guest does not answer",
  slowState: 'stages (all, or those that read `state`) take `factor` (10) times as long, or `ms`',
  launchFailed: 'a start ends in a failure',
  reads: 'machines and volumes read `as` on the wire, whatever they are',
  certificatePending: 'certificates stay in pending_validation',
  crash: 'at once: the guests of the matching started machines end by themselves',
  fail: 'at once: the matching started or stopped machines are given up by their host and rest in `failed`',
  forget: 'at once: the matching suspended machines lose their memory snapshot',
  migrate: 'at once: matching stopped or started machines move to another host: new address and new volume id',
} as const

/** The name of a kind of fault. */
export type FaultKind = keyof typeof faultKinds

const input = z.strictObject({
  kind: z.enum(Object.keys(faultKinds) as [FaultKind, ...FaultKind[]]),
  action: z.string().optional(),
  app: z.string().optional(),
  machine: z.string().optional(),
  nameContains: z.string().optional(),
  region: z.string().optional(),
  state: z.string().optional(),
  status: z.int().min(200).max(599).optional(),
  headers: z.record(z.string(), z.string()).optional(),
  text: z.string().optional(),
  as: z.string().optional(),
  body: z.unknown().optional(),
  count: z.int().positive().optional(),
  forMs: z.number().positive().optional(),
  probability: z.number().min(0).max(1).optional(),
  ms: z.number().min(0).optional(),
  factor: z.number().positive().optional(),
  fraction: z.number().min(0).max(1).optional(),
})

/** What a rule is held against; a rule that names something its subject lacks does not match. */
export interface Subject {
  readonly action?: string | undefined
  readonly app?: string | undefined
  readonly machine?: string | undefined
  readonly names?: readonly string[]
  readonly region?: string | undefined
  readonly state?: string | undefined
}

function matches(rule: FaultRecord, subject: Subject): boolean {
  const { nameContains } = rule
  return (
    (rule.action === undefined || rule.action === subject.action) &&
    (rule.app === undefined || rule.app === subject.app) &&
    (rule.machine === undefined || rule.machine === subject.machine) &&
    (rule.region === undefined || rule.region === subject.region) &&
    (rule.state === undefined || rule.state === subject.state) &&
    (nameContains === undefined || (subject.names ?? []).some((name) => name.includes(nameContains)))
  )
}

/** The rules in force. They outlive a restart of the simulator. */
export class Faults {
  readonly #store: Store
  readonly #clock: Clock
  readonly #latency: Latency

  constructor(store: Store, clock: Clock, latency: Latency) {
    this.#store = store
    this.#clock = clock
    this.#latency = latency
  }

  /** Reads a rule from the wire; a Refusal says what is wrong with it. */
  add(body: unknown): FaultRecord {
    const now = this.#clock.now()
    const rule = parse(input, body, 'fault')
    const expiresAt = rule.forMs === undefined ? undefined : now + rule.forMs
    const id = ulid((length) => this.#clock.bytes(length), now)
    const record: FaultRecord = { ...rule, id, addedAt: now, expiresAt, hits: 0 }
    this.#store.save({ kind: 'fault', record })
    return record
  }

  /** Those that can still fire, oldest first. */
  list(): FaultRecord[] {
    const now = this.#clock.now()
    for (const rule of this.#store.all('fault')) {
      if (rule.expiresAt !== undefined && rule.expiresAt <= now) this.#store.drop('fault', rule.id)
    }
    return this.#store.all('fault')
  }

  remove(id: string): void {
    this.#store.drop('fault', id)
  }

  clear(): void {
    for (const rule of this.#store.all('fault')) this.#store.drop('fault', rule.id)
  }

  /** Is there a rule for this? Nothing is used up. */
  peek(kind: FaultKind, subject: Subject): FaultRecord | undefined {
    return this.list().find((rule) => rule.kind === kind && matches(rule, subject))
  }

  /** The first rule that fires, one use of it gone; probability is drawn from a seeded stream. */
  take(kind: FaultKind, subject: Subject): FaultRecord | undefined {
    for (const rule of this.list()) {
      if (rule.kind !== kind || !matches(rule, subject)) continue
      if (rule.probability !== undefined && this.#latency.random(`fault/${kind}`) >= rule.probability) continue
      this.#use(rule)
      return rule
    }
    return undefined
  }

  #use(rule: FaultRecord): void {
    const count = rule.count === undefined ? undefined : rule.count - 1
    if (count === 0) this.#store.drop('fault', rule.id)
    else this.#store.save({ kind: 'fault', record: { ...rule, count, hits: rule.hits + 1 } })
  }
}
