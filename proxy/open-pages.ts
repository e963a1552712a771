// Pages that were open when their tenant fell asleep. They connect again by themselves, for as long as the tab is open, and
// that is no use: it must not wake a machine every quarter of an hour, all night. A person who comes back loads the page.
import type net from 'node:net'
import type { TenantRoute } from '../specs/route.ts'
import type { Exchange } from './exchange.ts'
import { closedReason } from './resolve.ts'

/** As much of an upgrade as is looked at. */
type Opened = Pick<Exchange, 'uid' | 'client' | 'status'>

export class OpenPages {
  readonly #open: () => Iterable<readonly [net.Socket, Opened]>
  /** By tenant that sleeps: the addresses of the clients whose WebSockets were open as it fell asleep. */
  readonly #left = new Map<string, ReadonlySet<string>>()

  /** @param open the upgrades that are under way or open now */
  constructor(open: () => Iterable<readonly [net.Socket, Opened]>) {
    this.#open = open
  }

  /** To be told of every change in the table, before the sockets of a road that closes are gone. */
  changed(uid: string, now: TenantRoute | undefined, before: TenantRoute | undefined): void {
    if (closedReason(now) !== 'asleep') {
      this.#left.delete(uid)
      return
    }
    if (closedReason(before) === 'asleep') return
    const left = new Set<string>()
    for (const [socket, { uid: whose, client, status }] of this.#open())
      if (whose === uid && status === 101 && !socket.destroyed) left.add(client.address)
    if (left.size > 0) this.#left.set(uid, left)
  }

  /** Whether an upgrade is such a page's own doing. Programs send no Origin: theirs are a user's, as all requests are. */
  isOwn({ uid = '', upgrade, client, host }: Exchange, origin: string | undefined): boolean {
    if (!upgrade || origin === undefined || this.#left.get(uid)?.has(client.address) !== true) return false
    return URL.parse(origin)?.hostname === host
  }
}
