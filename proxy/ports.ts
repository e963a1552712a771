// What the proxy asks of the outside: the routes, the bridge keys, somewhere to say who is used, and somewhere to write its
// log.
import type { TenantRoute } from '../specs/route.ts'

export interface RouteSource {
  /**
   * Feeds the sink until closed. Settles once the sink knows every route there is: the proxy does not listen before.
   * Changes to one tenant come in order.
   */
  follow(sink: RouteSink): Promise<{ close(): Promise<void> }>
}

export interface RouteSink {
  /** These are all the routes. */
  reset(routes: readonly TenantRoute[]): void
  put(route: TenantRoute): void
  /** The tenant is gone: a put that was begun before does not bring it back. */
  drop(uid: string): void
  /** It was written anew after it had gone, as when a lost database is rebuilt: puts count again, whatever their revision. */
  revive(uid: string): void
  /** Too many are not listed any more to be believed: these routes stay for now. None: all is well again. */
  doubt(uids: readonly string[]): void
}

export interface BridgeKeys {
  /** The 32 bytes that only this incarnation's machine and the proxy know. */
  bridgeKey(uid: string, incarnation: number): Uint8Array
}

/** Told who is used; it neither waits nor throws. */
export interface Activity {
  /** The tenant is used now: called for each request and each message of a user. */
  used(uid: string): void
  /** Somebody asks for the tenant, which sleeps. */
  wake(uid: string): void
  /** Whether a wish to be woken reaches anybody now; it does where this is not said. */
  canWake?: () => boolean
  /** Whether a use of the tenant is not written yet. */
  unwritten(uid: string): boolean
}

/** As pino has it. */
export interface ProxyLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}
