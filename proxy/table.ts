// The route table: which tenant a host leads to, kept in step with what the reconciler observed. A lookup is two map reads.
import type { TenantRoute } from '../specs/route.ts'
import type { RouteSink } from './ports.ts'
import { targetOf, type Target } from './target.ts'

/** How many dropped uids are remembered, so that a late put does not bring a deleted tenant back. */
const rememberedDrops = 10_000

export interface Entry {
  readonly tenant: TenantRoute
  /** Undefined: closed. The same object for as long as the target stays the same. */
  readonly target: Target | undefined
}

export interface TableEvents {
  opened(target: Target): void
  /** Nothing new may flow there any more. `now`: what has taken the route's place; undefined: nothing. */
  retired(target: Target, now: TenantRoute | undefined): void
  /** The claimant asked for a host that the holder had first: it does not get it. */
  contested(host: string, holder: string, claimant: string): void
  /** The table has this of the tenant now, and had that before; undefined: nothing. */
  changed(uid: string, now: TenantRoute | undefined, before: TenantRoute | undefined): void
}

export class RouteTable implements RouteSink {
  readonly #events: TableEvents
  readonly #byUid = new Map<string, Entry>()
  /** Who claims a host, first come first; only the first is ever routed to. */
  readonly #claims = new Map<string, readonly string[]>()
  readonly #dropped = new Set<string>()
  #doubted = 0

  constructor(events: TableEvents) {
    this.#events = events
  }

  /** How many routes stay although they are not listed any more. */
  get doubted(): number {
    return this.#doubted
  }

  get size(): number {
    return this.#byUid.size
  }

  /** The tenant behind a host, which is lower-case and without a port. */
  lookup(host: string): Entry | undefined {
    const holder = this.#claims.get(host)?.[0]
    return holder === undefined ? undefined : this.#byUid.get(holder)
  }

  reset(routes: readonly TenantRoute[]): void {
    const named = new Set(routes.map(({ uid }) => uid))
    for (const uid of [...this.#byUid.keys()]) if (!named.has(uid)) this.#remove(uid)
    this.#dropped.clear()
    for (const route of routes) this.put(route)
  }

  /** A revision that is not newer than the one known changes nothing. */
  put(tenant: TenantRoute): void {
    const before = this.#byUid.get(tenant.uid)
    if (this.#dropped.has(tenant.uid) || (before !== undefined && before.tenant.revision >= tenant.revision)) return
    const wanted = tenant.route.kind === 'forward' ? targetOf(tenant.uid, tenant.route) : undefined
    const target = wanted?.key === before?.target?.key ? before?.target : wanted
    this.#byUid.set(tenant.uid, { tenant, target })
    this.#claim(tenant.uid, before?.tenant.hosts ?? [], tenant.hosts)
    if (target !== before?.target) {
      if (before?.target !== undefined) this.#events.retired(before.target, tenant)
      if (target !== undefined) this.#events.opened(target)
    }
    this.#events.changed(tenant.uid, tenant, before?.tenant)
  }

  drop(uid: string): void {
    this.#dropped.add(uid)
    for (const oldest of this.#dropped) {
      if (this.#dropped.size <= rememberedDrops) break
      this.#dropped.delete(oldest)
    }
    this.#remove(uid)
  }

  revive(uid: string): void {
    this.#dropped.delete(uid)
    const entry = this.#byUid.get(uid)
    if (entry !== undefined) this.#byUid.set(uid, { ...entry, tenant: { ...entry.tenant, revision: -1 } })
  }

  doubt(uids: readonly string[]): void {
    this.#doubted = uids.length
  }

  #remove(uid: string): void {
    const entry = this.#byUid.get(uid)
    if (entry === undefined) return
    this.#byUid.delete(uid)
    this.#claim(uid, entry.tenant.hosts, [])
    if (entry.target !== undefined) this.#events.retired(entry.target, undefined)
    this.#events.changed(uid, undefined, entry.tenant)
  }

  #claim(uid: string, before: readonly string[], hosts: readonly string[]): void {
    for (const host of before) {
      if (hosts.includes(host)) continue
      const rest = (this.#claims.get(host) ?? []).filter((claimant) => claimant !== uid)
      if (rest.length === 0) this.#claims.delete(host)
      else this.#claims.set(host, rest)
    }
    for (const host of hosts) {
      const claimants = this.#claims.get(host) ?? []
      if (claimants.includes(uid)) continue
      this.#claims.set(host, [...claimants, uid])
      if (claimants[0] !== undefined) this.#events.contested(host, claimants[0], uid)
    }
  }
}
