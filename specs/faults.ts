// Fault: the closed list of ways in which the outside says no, and what each means for a retry.

export interface FaultRule {
  /** Whom the same answer would meet as well. */
  readonly scope: 'tenant' | 'host' | 'region' | 'account' | 'api'
  /** `backoff`: try again, later and later. `soon`: a passing state, look again at once. `person`: nothing helps but a change. */
  readonly retry: 'backoff' | 'soon' | 'person'
  /** PascalCase, used as the condition's reason. */
  readonly reason: string
}

/** One row per kind; the meaning of each is in reconciler/README.md. */
export const faultRules = {
  notFound: { scope: 'tenant', retry: 'backoff', reason: 'NotFound' },
  nameTaken: { scope: 'tenant', retry: 'soon', reason: 'NameTaken' },
  foreign: { scope: 'tenant', retry: 'person', reason: 'ForeignResource' },
  raced: { scope: 'tenant', retry: 'soon', reason: 'ConcurrentUpdate' },
  leased: { scope: 'tenant', retry: 'backoff', reason: 'LeaseHeld' },
  transient: { scope: 'tenant', retry: 'soon', reason: 'MachineBusy' },
  bound: { scope: 'tenant', retry: 'backoff', reason: 'VolumeBound' },
  hostDown: { scope: 'host', retry: 'backoff', reason: 'HostUnreachable' },
  hostFull: { scope: 'host', retry: 'backoff', reason: 'HostFull' },
  regionFull: { scope: 'region', retry: 'backoff', reason: 'RegionFull' },
  quota: { scope: 'account', retry: 'backoff', reason: 'QuotaExceeded' },
  throttled: { scope: 'account', retry: 'backoff', reason: 'RateLimited' },
  commandFailed: { scope: 'tenant', retry: 'backoff', reason: 'CommandFailed' },
  invalid: { scope: 'tenant', retry: 'person', reason: 'InvalidRequest' },
  unauthorized: { scope: 'account', retry: 'backoff', reason: 'Unauthorized' },
  unavailable: { scope: 'api', retry: 'backoff', reason: 'FlyUnavailable' },
  timeout: { scope: 'tenant', retry: 'backoff', reason: 'FlyTimeout' },
} as const satisfies Record<string, FaultRule>

export type FaultKind = keyof typeof faultRules

export interface FaultDetails {
  /** The call that failed, in the words of the client: `machineCreate`. */
  readonly call: string
  readonly status?: number | undefined
  /** Fly's own sentence, without secrets. */
  readonly said?: string | undefined
  readonly retryAfterMs?: number | undefined
  /** The machine that already has the name, when Fly tells it. */
  readonly existingId?: string | undefined
  readonly requestId?: string | undefined
  readonly cause?: unknown
}

/** A classified failure of a call to the outside. */
export class Fault extends Error {
  readonly code = 'FAULT'
  readonly kind: FaultKind
  readonly details: FaultDetails

  constructor(kind: FaultKind, message: string, details: FaultDetails) {
    super(message, { cause: details.cause })
    this.name = 'Fault'
    this.kind = kind
    this.details = details
  }

  get rule(): FaultRule {
    return faultRules[this.kind]
  }

  /** Whether the call may have had its effect although no answer came. */
  get ambiguous(): boolean {
    return this.kind === 'unavailable' || this.kind === 'hostDown' || this.kind === 'timeout'
  }
}
