// Keeps what holds the fleet back: the mode, the doubts, the ledger, the shared waits. The rules are in the pure files
// beside it; here is what changes, what is written down, and who is woken.
import type { Clock, Instant } from '../../specs/clock.ts'
import { Fault } from '../../specs/faults.ts'
import type { Guest } from '../../specs/fields.ts'
import type { Tenant } from '../../specs/tenant.ts'
import type { Decision } from '../decision.ts'
import type { FleetReading } from '../observed.ts'
import type { Guards } from '../ports.ts'
import type { Step } from '../step.ts'
import { entryOf, ledgerMs, taken } from './budget.ts'
import { waitsForLists, waitsForMode } from './guarded.ts'
import {
  admitted,
  afterFault,
  afterSuccess,
  blockedBy,
  lift,
  noHolds,
  released,
  type Attempt,
  type Holds,
} from './holds.ts'
import { holdKey, placeOf, readKeys, stepKeys } from './scope.ts'
import type { FleetState, FleetWish, GuardStore, KeptHold } from './state.ts'
import { StateWriter } from './state-writer.ts'
import { acknowledged, judged, type Suspicion } from './suspicion.ts'
import { Waiting } from './waiting.ts'
import { freeFleet, type FleetMode, type FleetView, type Hold, type LedgerEntry } from './view.ts'

/** Guards that hold nothing back. */
export function openGuards(): Guards {
  return {
    view: () => freeFleet,
    blockedRead: () => undefined,
    admit: () => {},
    waits: () => {},
    charge: () => Promise.resolve(),
    ended: () => {},
    release: () => {},
  }
}

export interface KeeperOptions {
  readonly clock: Clock
  readonly store: GuardStore
  /** The process's own mode; the stricter of it and the operators' counts. */
  readonly mode: FleetMode
  /** PlanSettings.scale. */
  readonly scale: number
  /** The size of the tenant's machine, for room in a region is asked for by size. */
  readonly guestOf: (tenant: Tenant) => Guest | undefined
  /** Looks at a tenant now. */
  readonly wake: (uid: string) => void
  /** Whether this process is the one that acts: only it writes the state. */
  readonly leads: () => boolean
  /** Hears of a state that could not be written; it is written again with the next change. */
  readonly failed: (error: unknown) => void
}

/** So many tenants in a row without any answer, and none with one, are not each a slow host: the API hangs. */
const silentMost = 3

/** A hold that nobody has tried for so long after its time concerns nobody any more. */
const staleMs = 3_600_000

function kept([key, hold]: [string, Hold]): KeptHold {
  const { kind, reason, message, attempts, since, failedAt, notBefore } = hold
  return { key, kind, reason, message, attempts, since, failedAt, notBefore }
}

function restored(holds: readonly KeptHold[], now: Instant): ReadonlyMap<string, Hold> {
  const fresh = holds.filter(({ notBefore }) => notBefore > now - staleMs)
  return new Map(fresh.map(({ key, ...hold }) => [key, { ...hold, probe: undefined }]))
}

export class Keeper implements Guards {
  readonly #options: KeeperOptions
  #wish: FleetWish = { mode: 'normal' }
  /** How often operators have changed their wish since the start. */
  #changes = 0
  #holds: Holds = noHolds
  #suspicion: Suspicion = { known: undefined, doubt: undefined }
  #tenants = 0
  /** Oldest first. */
  #ledger: readonly LedgerEntry[] = []
  /** Admitted and not yet written: the next plan must not count on the same token. */
  readonly #reserved = new Map<string, LedgerEntry>()
  readonly #attempts = new Map<string, Attempt>()
  readonly #waiting: Waiting
  /** Tenants whose last look got no answer at all, since anybody's did. */
  readonly #silent = new Set<string>()
  readonly #writer: StateWriter

  constructor(options: KeeperOptions) {
    this.#options = options
    this.#waiting = new Waiting(options.wake)
    this.#writer = new StateWriter({ ...options, state: () => this.#state() })
  }

  /** Reads everything again: before the first step of a process, and whenever it takes the lease. */
  async load(): Promise<void> {
    const now = this.#options.clock.now()
    const changes = this.#changes
    const { wish: read, state, ledger, tenants, machines } = await this.#options.store.load(now - ledgerMs)
    // What was told meanwhile is newer than what was read.
    const wish = changes === this.#changes ? read : this.#wish
    this.#wish = wish
    this.#ledger = ledger
    this.#tenants = tenants
    this.#reserved.clear()
    this.#attempts.clear()
    this.#waiting.clear()
    this.#holds = { ...noHolds, holds: restored(state?.holds ?? [], now) }
    const suspect = state?.suspect
    const doubt = suspect === undefined ? undefined : { ...suspect, good: 0, goodSince: undefined }
    this.#suspicion = { known: machines, doubt }
    if (suspect !== undefined && (wish.acknowledgedAt ?? -Infinity) > suspect.since) this.#acknowledge()
    this.#retire(({ failedAt }) => failedAt < (wish.retryRequestedAt ?? -Infinity))
    this.#writer.touch()
  }

  /** Resolves when what was to be written has been, or has failed. */
  async settled(): Promise<void> {
    await this.#writer.settled()
  }

  /** Operators want something else. */
  follow(wish: FleetWish): void {
    const { mode, acknowledgedAt, retryRequestedAt } = this.#wish
    const before = this.#mode()
    this.#wish = wish
    this.#changes += 1
    if (wish.acknowledgedAt !== acknowledgedAt) this.#acknowledge()
    if (wish.retryRequestedAt !== retryRequestedAt) this.#retire(() => true)
    if (wish.mode !== mode && before !== this.#mode()) this.#waiting.wake([waitsForMode])
    this.#writer.touch()
  }

  /** Judges a complete reading of the fleet; a sweep of the controller. */
  async judge(reading: FleetReading): Promise<void> {
    const { clock, scale, store } = this.#options
    const now = clock.now()
    const destroyed = new Set(this.#ledger.map(({ target }) => target))
    const before = this.#suspicion
    this.#suspicion = judged(before, { reading, destroyed, now, scale })
    if (before.doubt !== undefined && this.#suspicion.doubt === undefined) this.#waiting.wake([waitsForLists])
    this.#writer.touch()
    this.#ledger = this.#ledger.filter(({ at }) => at > now - ledgerMs)
    this.#retire(({ notBefore }) => notBefore <= now - staleMs)
    this.#tenants = await store.liveTenants()
  }

  view(): FleetView {
    const { doubt } = this.#suspicion
    return {
      mode: this.#mode(),
      suspect: doubt === undefined ? undefined : { since: doubt.since, message: doubt.message },
      ledger: this.#reserved.size === 0 ? this.#ledger : [...this.#ledger, ...this.#reserved.values()],
      tenants: this.#tenants,
      ...this.#holds,
    }
  }

  blockedRead(tenant: Tenant): Fault | undefined {
    const now = this.#options.clock.now()
    const blocked = blockedBy(this.#holds, readKeys, tenant, now)
    if (blocked === undefined) {
      this.#begin(tenant.uid, readKeys)
      return undefined
    }
    const { key, hold, until } = blocked
    this.#waiting.add(key, tenant.uid)
    return new Fault(hold.kind, hold.message, { call: 'observe', retryAfterMs: until - now })
  }

  admit(tenant: Tenant, step: Step): void {
    this.#begin(tenant.uid, stepKeys(step, this.#place(tenant)))
    const entry = entryOf(tenant, step, this.#options.clock.now())
    if (entry !== undefined && !taken(this.#ledger, entry)) this.#reserved.set(tenant.uid, entry)
  }

  waits({ uid }: Tenant, decision: Decision): void {
    if (decision.kind !== 'wait' && decision.kind !== 'stalled') return
    if (decision.waitsFor !== undefined) this.#waiting.add(decision.waitsFor, uid)
  }

  async charge(tenant: Tenant, step: Step): Promise<void> {
    const entry = this.#reserved.get(tenant.uid) ?? entryOf(tenant, step, this.#options.clock.now())
    if (entry === undefined || taken(this.#ledger, entry)) return
    await this.chargeEntry(entry)
    this.#reserved.delete(tenant.uid)
  }

  /** The same for what is no tenant's step: the end of an orphan. */
  async chargeEntry(entry: LedgerEntry): Promise<void> {
    if (taken(this.#ledger, entry)) return
    await this.#options.store.charge(entry)
    this.#ledger = [...this.#ledger, entry].sort((a, b) => a.at - b.at)
  }

  ended(tenant: Tenant, step: Step | undefined, fault: Fault | undefined): void {
    const { uid } = tenant
    const now = this.#options.clock.now()
    const attempt = this.#attempts.get(uid) ?? { uid, keys: [], startedAt: now }
    this.#attempts.delete(uid)
    if (step === undefined) this.#heard(uid, fault)
    const failure = fault === undefined ? undefined : this.#sharedFailure(tenant, step, fault)
    if (fault === undefined) this.#change(afterSuccess(this.#holds, attempt, now))
    else if (failure === undefined) this.#change(released(this.#holds, uid))
    else this.#change(afterFault(this.#holds, attempt, failure, { now, random: this.#options.clock.random() }))
  }

  release({ uid }: Tenant): void {
    this.#attempts.delete(uid)
    this.#reserved.delete(uid)
    this.#change(released(this.#holds, uid))
  }

  #mode(): FleetMode {
    const { mode } = this.#options
    return mode === 'observe-only' ? mode : this.#wish.mode
  }

  #place(tenant: Tenant) {
    return placeOf(tenant, this.#options.guestOf(tenant))
  }

  #begin(uid: string, keys: readonly string[]): void {
    const now = this.#options.clock.now()
    const attempt = { uid, keys, startedAt: now }
    this.#attempts.set(uid, attempt)
    if (this.#holds.holds.size > 0) this.#holds = admitted(this.#holds, attempt, now)
  }

  #heard(uid: string, fault: Fault | undefined): void {
    if (fault?.kind === 'timeout') this.#silent.add(uid)
    else if (fault?.kind !== 'unavailable') this.#silent.clear()
  }

  /** A look without any answer is the tenant's own matter, until several tenants in a row get none. */
  #sharedFailure(tenant: Tenant, step: Step | undefined, fault: Fault): { key: string; fault: Fault } | undefined {
    if (step === undefined && fault.kind === 'timeout') {
      const hangs = this.#silent.size >= silentMost || this.#holds.holds.has('api')
      return hangs ? { key: 'api', fault: hanging(fault) } : undefined
    }
    const key = holdKey(fault.kind, step, this.#place(tenant))
    return key === undefined ? undefined : { key, fault }
  }

  #change(next: Holds): void {
    if (next === this.#holds) return
    const freed = [...this.#holds.holds.keys()].filter((key) => !next.holds.has(key))
    this.#holds = next
    this.#waiting.wake(freed)
    this.#writer.touch()
  }

  #acknowledge(): void {
    const before = this.#suspicion
    this.#suspicion = acknowledged(before)
    if (before !== this.#suspicion) this.#waiting.wake([waitsForLists])
  }

  #retire(over: (hold: Hold) => boolean): void {
    const keys = [...this.#holds.holds].filter(([, hold]) => over(hold)).map(([key]) => key)
    if (keys.length > 0) this.#change(lift(this.#holds, keys, this.#options.clock.now()))
  }

  #state(): FleetState {
    const { doubt } = this.#suspicion
    return {
      at: this.#options.clock.now(),
      mode: this.#mode(),
      suspect: doubt === undefined ? undefined : { since: doubt.since, message: doubt.message },
      holds: [...this.#holds.holds].map(kept),
    }
  }
}

/** Others are told that Fly is away, not that their own call took too long. */
function hanging({ message, details }: Fault): Fault {
  return new Fault('unavailable', message, details)
}
