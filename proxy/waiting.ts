// The waiting room: who asks for a tenant that sleeps or wakes up stays here, in order of arrival, until the road is open or
// patience ends. It wakes the tenant, once for all who wait.
import type { Clock, Instant } from '../specs/clock.ts'
import type { ProxyLimits } from './limits.ts'

/**
 * How a stay ends. `forwarded` and `closed`: the tenant's route is another now. `page`: a person has waited long enough for
 * a sign. `timeout`, `overflow`: too long, too many. `gone`: the client has left. `closing`: the proxy ends.
 */
export type Outcome = 'forwarded' | 'closed' | 'page' | 'timeout' | 'overflow' | 'gone' | 'closing'

/** Who waits. */
export interface Guest {
  readonly uid: string
  /** When the request arrived. */
  readonly since: Instant
  /** A person who looks at a browser. */
  readonly browser: boolean
  /** Whether the tenant sleeps and has to be woken. */
  readonly asleep: boolean
  /** Called exactly once. */
  readonly decided: (outcome: Outcome) => void
}

export interface WaitingOptions {
  readonly clock: Pick<Clock, 'now' | 'after'>
  readonly limits: Pick<ProxyLimits, 'holdMs' | 'pageMs' | 'heldPerTenant' | 'held'>
  readonly wake: (uid: string) => void
  /** Is told of each end, and how long the stay was. */
  readonly ended: (outcome: Outcome, ms: number) => void
}

/** Who still waits for a tenant that was woken this long ago wakes it again: a wake can get lost. */
const wakeAgainMs = 5_000

interface Place {
  readonly guest: Guest
  readonly cancel: () => void
}

interface Room {
  readonly places: Set<Place>
  wokenAt: Instant
}

export class WaitingRoom {
  readonly #options: WaitingOptions
  readonly #rooms = new Map<string, Room>()
  #held = 0
  #closed = false

  constructor(options: WaitingOptions) {
    this.#options = options
  }

  get held(): number {
    return this.#held
  }

  waitsFor(uid: string): boolean {
    return this.#rooms.has(uid)
  }

  /**
   * Takes a guest in, or sends it away at once.
   *
   * @returns to be called when the client has gone; later than that, it does nothing
   */
  enter(guest: Guest): () => void {
    if (this.#closed) return this.#refuse(guest, 'closing')
    const { clock, limits } = this.#options
    const known = this.#rooms.get(guest.uid)
    this.#knock(guest, known)
    if (this.#held >= limits.held || (known?.places.size ?? 0) >= limits.heldPerTenant)
      return this.#refuse(guest, 'overflow')
    const room = known ?? { places: new Set(), wokenAt: clock.now() }
    this.#rooms.set(guest.uid, room)
    const [patienceMs, end] = guest.browser ? ([limits.pageMs, 'page'] as const) : ([limits.holdMs, 'timeout'] as const)
    const leftMs = Math.max(0, guest.since + patienceMs - clock.now())
    const place: Place = { guest, cancel: clock.after(leftMs, () => this.#leave(place, end)) }
    room.places.add(place)
    this.#held += 1
    return () => this.#leave(place, 'gone')
  }

  /** Ends the wait of all who wait for a tenant, in order of arrival. */
  release(uid: string, outcome: Outcome): void {
    for (const place of [...(this.#rooms.get(uid)?.places ?? [])]) this.#leave(place, outcome)
  }

  /** Sends everybody away, and takes nobody in any more. */
  close(): void {
    this.#closed = true
    for (const uid of [...this.#rooms.keys()]) this.release(uid, 'closing')
  }

  #knock({ uid, asleep }: Guest, room: Room | undefined): void {
    const now = this.#options.clock.now()
    if (!asleep || (room !== undefined && now - room.wokenAt < wakeAgainMs)) return
    if (room !== undefined) room.wokenAt = now
    this.#options.wake(uid)
  }

  #refuse({ decided }: Guest, outcome: Outcome): () => void {
    this.#options.ended(outcome, 0)
    decided(outcome)
    return () => undefined
  }

  #leave(place: Place, outcome: Outcome): void {
    const { uid, since, decided } = place.guest
    const room = this.#rooms.get(uid)
    if (room?.places.delete(place) !== true) return
    if (room.places.size === 0) this.#rooms.delete(uid)
    this.#held -= 1
    place.cancel()
    this.#options.ended(outcome, this.#options.clock.now() - since)
    decided(outcome)
  }
}
