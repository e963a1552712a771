// A fault and how often it came -> when to try again. Pure.
import type { Instant } from '../specs/clock.ts'
import type { Fault, FaultRule } from '../specs/faults.ts'

interface Pace {
  readonly firstMs: number
  readonly capMs: number
}

/** A full region or host empties slowly; an API that is down answers all at once, so it is asked often. */
function pace({ scope, retry }: FaultRule): Pace {
  if (retry === 'soon') return { firstMs: 250, capMs: 10_000 }
  switch (scope) {
    case 'host':
    case 'region':
      return { firstMs: 30_000, capMs: 900_000 }
    case 'api':
      return { firstMs: 1_000, capMs: 15_000 }
    case 'account':
    case 'tenant':
      return { firstMs: 500, capMs: 300_000 }
  }
}

/**
 * The time of the next try after `attempts` failures in a row (1 is the first), doubled each time and jittered by up to
 * half so that tenants which failed together do not return together. Undefined when only a person helps.
 */
export function nextTry(fault: Fault, attempts: number, now: Instant, random: number): Instant | undefined {
  if (fault.rule.retry === 'person') return undefined
  const { firstMs, capMs } = pace(fault.rule)
  const wait = Math.min(capMs, firstMs * 2 ** Math.min(attempts - 1, 30))
  const jittered = Math.round(wait * (0.5 + random / 2))
  return now + Math.max(jittered, fault.details.retryAfterMs ?? 0)
}
