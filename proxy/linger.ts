// When connections to a machine begin and end with its road. A road that closes for sleep while requests are under way
// keeps them for a while, so that the requests can end, or go on when the road opens again.
import type { Clock } from '../specs/clock.ts'
import type { TenantRoute } from '../specs/route.ts'
import { closedReason, holds } from './resolve.ts'
import type { Target } from './target.ts'

export interface LingerOptions {
  readonly clock: Pick<Clock, 'after'>
  /** How long they are kept at most, in milliseconds. */
  readonly ms: number
  /** Whether requests are under way that are not to be cut. */
  readonly busy: (uid: string) => boolean
  readonly upstreams: { open(target: Target): void; retire(target: Target): void }
}

interface Stay {
  readonly target: Target
  readonly cancel: () => void
}

const sleeps = (now: TenantRoute | undefined) => holds(closedReason(now))

export class Linger {
  readonly #options: LingerOptions
  readonly #stays = new Map<string, Stay>()

  constructor(options: LingerOptions) {
    this.#options = options
  }

  /** The road is open. Where it leads to the same place again, the connections go on. */
  opened(target: Target): void {
    const stay = this.#stays.get(target.uid)
    if (stay?.target.key !== target.key) {
      this.#options.upstreams.open(target)
      return
    }
    stay.cancel()
    this.#stays.delete(target.uid)
  }

  /** The road is closed, or leads elsewhere. */
  retired(target: Target, now: TenantRoute | undefined): void {
    const { clock, ms, busy, upstreams } = this.#options
    if (sleeps(now) && busy(target.uid))
      this.#stays.set(target.uid, { target, cancel: clock.after(ms, () => this.#end(target.uid)) })
    else upstreams.retire(target)
  }

  /** After each change: only sleep lets anything stay. */
  changed(uid: string, now: TenantRoute | undefined): void {
    if (!sleeps(now)) this.#end(uid)
  }

  /** A request is over. */
  left(uid: string | undefined): void {
    if (uid !== undefined && this.#stays.has(uid) && !this.#options.busy(uid)) this.#end(uid)
  }

  close(): void {
    for (const uid of [...this.#stays.keys()]) this.#end(uid)
  }

  #end(uid: string): void {
    const stay = this.#stays.get(uid)
    if (stay === undefined) return
    stay.cancel()
    this.#stays.delete(uid)
    this.#options.upstreams.retire(stay.target)
  }
}
