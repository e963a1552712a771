// Keeps the rollouts going: after each reading of the fleet, every rollout's members are looked at and the plan is made so.
// Every step is one write by compare-and-set, in an order in which a crash between two of them changes no tenant's image.
import { isDeepStrictEqual } from 'node:util'
import type { StoredClass } from '../../specs/class.ts'
import type { Instant } from '../../specs/clock.ts'
import type { Rollout } from '../../specs/rollout.ts'
import type { Tenant } from '../../specs/tenant.ts'
import type { Wish } from '../decision.ts'
import type { FleetReading, ObservedMachine } from '../observed.ts'
import type { Ports } from '../ports.ts'
import { wishOf } from '../wish.ts'
import type { ClassBook } from './book.ts'
import { settledClass } from './class-change.ts'
import { imageOf, takesPart, waveOf } from './image.ts'
import { countMembers, memberOf, unreached, type Member } from './members.ts'
import { rolloutPace, type RolloutPace } from './pace.ts'
import { planRollout } from './plan.ts'
import { begun, decided, superseded } from './transitions.ts'

/** Where classes and rollouts are kept. Every write is refused (undefined) when somebody wrote since the record was read. */
export interface RolloutStore {
  classes(): Promise<readonly StoredClass[]>
  saveClass(next: StoredClass): Promise<StoredClass | undefined>
  /** Rollouts that roll or are halted. */
  open(): Promise<readonly Rollout[]>
  /** Adds the rollout if there is none of its id, and answers the one that there is. */
  begin(rollout: Rollout): Promise<Rollout>
  save(next: Rollout): Promise<Rollout | undefined>
  /** The tenants of a class that are not purged. */
  members(name: string): Promise<readonly Tenant[]>
}

export interface KeeperOptions {
  readonly ports: Ports
  readonly store: RolloutStore
  readonly book: ClassBook
  /** Hears of each change of state and each new wave. */
  readonly told: (rollout: Rollout) => void
}

interface Memory {
  /** Since when a member is in trouble, by uid. */
  readonly trouble: Map<string, Instant>
  /** What is wanted of a member, by uid; the key tells when that may have changed. */
  readonly wishes: Map<string, { readonly key: string; readonly wish: Wish }>
}

type Machines = ReadonlyMap<string, ObservedMachine>

export class RolloutKeeper {
  readonly #options: KeeperOptions
  readonly #pace: RolloutPace
  /** By rollout. Forgotten with the process: then the grace of members in trouble begins anew. */
  readonly #memory = new Map<string, Memory>()

  constructor(options: KeeperOptions) {
    this.#options = options
    this.#pace = rolloutPace(options.ports.settings.scale)
  }

  /** One look at every rollout. A sweep of the controller. */
  async sweep({ machines }: FleetReading): Promise<void> {
    if (!this.#mayAct()) return
    const { store, book } = this.#options
    // The rollouts before the classes: a rollout that is found has a class that knows of it already.
    const open = await store.open()
    const classes = await store.classes()
    await this.#endStale(open, classes)
    for (const id of this.#memory.keys()) if (!open.some((rollout) => rollout.id === id)) this.#memory.delete(id)
    const byId = new Map(machines.map((machine) => [machine.id, machine]))
    for (const found of classes) {
      book.takeClass(found)
      const first = begun(found)
      if (first === undefined) continue
      const rollout = open.find(({ id }) => id === first.id) ?? (await store.begin(first))
      book.takeRollout(rollout)
      await this.#follow(found, rollout, byId)
    }
  }

  /** Nothing is decided on a doubtful view of the fleet, or without the lease. */
  #mayAct(): boolean {
    const { ports } = this.#options
    const { mode, suspect } = ports.guards.view()
    return mode === 'normal' && suspect === undefined && ports.term() !== undefined
  }

  async #endStale(open: readonly Rollout[], classes: readonly StoredClass[]): Promise<void> {
    for (const rollout of open) {
      const present = classes.find(({ name }) => name === rollout.class)
      if (present?.rollout?.id !== rollout.id) await this.#save(rollout, superseded(rollout, present, this.#now()))
    }
  }

  async #follow(found: StoredClass, rollout: Rollout, machines: Machines): Promise<void> {
    switch (rollout.state) {
      case 'rolling': {
        const last = await this.#roll(rollout, machines)
        if (last?.state === 'done') await this.#settle(found, last)
        return
      }
      case 'halted': {
        const members = await this.#members(rollout, machines)
        const counts = countMembers(members, this.#now(), this.#pace.graceMs)
        await this.#save(rollout, { ...rollout, counts })
        return
      }
      case 'done':
        await this.#settle(found, rollout)
        return
      case 'rolled-back':
      case 'superseded':
        return
    }
  }

  /** Plans until there is something to wait for; waves without members pass in one go. */
  async #roll(rollout: Rollout, machines: Machines): Promise<Rollout | undefined> {
    for (let current: Rollout | undefined = rollout; current !== undefined;) {
      const now = this.#now()
      const members = await this.#members(current, machines)
      const decision = planRollout(current, members, now, this.#pace)
      const counts = countMembers(members, now, this.#pace.graceMs)
      const next: Rollout = { ...decided(current, decision, now), counts }
      const saved: Rollout | undefined = await this.#save(current, next)
      if (decision.kind !== 'advance') return saved
      current = saved
    }
    return undefined
  }

  async #members(rollout: Rollout, machines: Machines): Promise<readonly Member[]> {
    const { ports, store } = this.#options
    const memory: Memory = this.#memory.get(rollout.id) ?? { trouble: new Map(), wishes: new Map() }
    this.#memory.set(rollout.id, memory)
    const tenants = (await store.members(rollout.class)).filter(takesPart)
    return tenants.map((tenant) => {
      const wave = waveOf(tenant, rollout)
      if (wave > rollout.wave) return unreached(tenant, wave)
      const member = memberOf({
        ...{ tenant, rollout, wave, now: this.#now(), deferMs: ports.settings.deferMs },
        wish: this.#wishOf(tenant, memory),
        machine: machines.get(tenant.status.machine?.id ?? ''),
        troubleSince: memory.trouble.get(tenant.uid),
      })
      remember(memory, member)
      return member
    })
  }

  /** The hashes of a wish cost a millisecond, and a fleet is looked at every few seconds: what is wanted seldom changes. */
  #wishOf(tenant: Tenant, { wishes }: Memory): Wish {
    const { ports, book } = this.#options
    const entry = book.entry(tenant.spec.class)
    const image = entry && imageOf(entry, tenant)
    const key = `${tenant.generation} ${entry?.class.uid ?? ''} ${entry?.class.generation ?? 0} ${image ?? ''}`
    const known = wishes.get(tenant.uid)
    if (known?.key === key) return known.wish
    // When it was last used decides about sleep, which no hash covers.
    const wish = wishOf(ports, tenant, undefined)
    wishes.set(tenant.uid, { key, wish })
    return wish
  }

  /** Answers the record as it is then; undefined where it could not be written. */
  async #save(before: Rollout, next: Rollout): Promise<Rollout | undefined> {
    if (isDeepStrictEqual(before, next)) return before
    // The reads took their time: the lease may have run out meanwhile.
    if (!this.#mayAct()) return undefined
    const { store, book, told } = this.#options
    const saved = await store.save(next)
    if (saved === undefined) return undefined
    book.takeRollout(saved)
    if (next.history !== before.history) told(saved)
    return saved
  }

  async #settle(found: StoredClass, rollout: Rollout): Promise<void> {
    const { store, book } = this.#options
    const saved = await store.saveClass(settledClass(found, rollout))
    if (saved !== undefined) book.takeClass(saved)
  }

  #now(): number {
    return this.#options.ports.clock.now()
  }
}

/** A member whose failed machine is being made anew is still in trouble. */
function remember({ trouble }: Memory, { uid, standing }: Member): void {
  if (standing.kind === 'trouble') trouble.set(uid, standing.since)
  else if (standing.kind !== 'absent' && standing.kind !== 'pending') trouble.delete(uid)
}
