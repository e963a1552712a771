// The idle policy: whether a tenant that nobody uses is to sleep. It owns nothing and only reads when the tenant was last
// used, so a request wakes what it put to sleep and nothing else. Pure.
import type { Instant } from '../specs/clock.ts'
import type { IdlePolicy } from '../specs/fields.ts'
import type { Tenant } from '../specs/tenant.ts'
import type { Decision, PlanInput } from './decision.ts'

const minuteMs = 60_000

/** The road is closed this long before the machine is put to sleep: whoever comes in between is held and wakes it. */
const graceMs = 2_000

/** These were asleep by the word of an owner: when that is taken back they are awake, however long unused. */
const ownersWords: readonly string[] = ['deleted', 'billing-suspended', 'admin-suspended', 'pool-warm']

/** When the tenant falls asleep unless it is used; undefined: never. */
export function sleepsAt(
  { createdAt, status }: Tenant,
  policy: IdlePolicy,
  lastUsedAt: Instant | undefined,
  now: Instant,
): Instant | undefined {
  if (policy.afterMinutes === 0) return undefined
  const woken = ownersWords.includes(status.effective) ? now : (status.awakeSince ?? createdAt)
  return Math.max(lastUsedAt ?? 0, woken, createdAt) + policy.afterMinutes * minuteMs
}

/** Since when the tenant has been awake by its owners' word; a use counts by itself. */
export function awakeAfter({ tenant, wish, now }: PlanInput): Instant | undefined {
  const { effective, awakeSince } = tenant.status
  return wish.effective === 'running' && ownersWords.includes(effective) ? now : awakeSince
}

/** Since when the tenant has been wanted asleep by the idle policy. */
export function asleepAfter({ tenant, wish, now }: PlanInput): Instant | undefined {
  return wish.effective === 'idle-suspended' ? (tenant.status.asleepSince ?? now) : undefined
}

/** Waits between the closing of the road and the sleep. */
export function fallingAsleep(input: PlanInput): Decision | undefined {
  if (input.wish.effective !== 'idle-suspended') return undefined
  const until = (asleepAfter(input) ?? input.now) + graceMs * input.settings.scale
  if (input.now >= until) return undefined
  return { kind: 'wait', reason: 'FallingAsleep', message: 'Nobody uses it; it is about to be put to sleep.', until }
}
