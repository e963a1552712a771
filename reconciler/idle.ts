// The idle policy: whether a tenant that nobody uses is to sleep. It owns nothing and only reads when the tenant was last
// used, so a request wakes what it put to sleep and nothing else. Pure.
import type { Instant } from '../specs/clock.ts'
import type { IdlePolicy } from '../specs/fields.ts'
import type { Tenant } from '../specs/tenant.ts'
import type { Decision, PlanInput } from './decision.ts'

const minuteMs = 60_000

/** The road is closed this long before the machine is put to sleep: whoever comes in between is held and wakes it. */
const graceMs = 2_000

/** A machine is woken so long before its user's own next job: a cold start of the gateway takes up to half of it. */
const leadMs = 90_000

/** So long channels that were live keep a tenant awake; then the gateway is asked again. */
const channelsMs = 86_400_000

/** These were asleep by the word of an owner: when that is taken back they are awake, however long unused. */
const ownersWords: readonly string[] = ['deleted', 'billing-suspended', 'admin-suspended', 'pool-warm']

/** When a tenant that sleeps is woken for its user's own next job. */
export function wakesAt({ status }: Pick<Tenant, 'status'>): Instant | undefined {
  const { wakeAt } = status.sleep ?? {}
  return wakeAt === undefined ? undefined : wakeAt - leadMs
}

/** A job counts as a use from the moment in which the machine is woken for it. */
function jobUse(tenant: Pick<Tenant, 'status'>, now: Instant): Instant {
  return (wakesAt(tenant) ?? Infinity) <= now ? (tenant.status.sleep?.wakeAt ?? 0) : 0
}

/** Until when live channels keep the tenant awake. */
function channelsUntil({ status }: Tenant, { withChannels }: IdlePolicy): Instant {
  return status.channels === undefined || withChannels === true ? 0 : status.channels.at + channelsMs
}

/** When the tenant falls asleep unless it is used; undefined: never. */
export function sleepsAt(
  tenant: Tenant,
  policy: IdlePolicy,
  lastUsedAt: Instant | undefined,
  now: Instant,
): Instant | undefined {
  if (policy.afterMinutes === 0) return undefined
  const { createdAt, status } = tenant
  const woken = ownersWords.includes(status.effective) ? now : (status.awakeSince ?? createdAt)
  const used = Math.max(lastUsedAt ?? 0, woken, createdAt, jobUse(tenant, now))
  return Math.max(used + policy.afterMinutes * minuteMs, channelsUntil(tenant, policy))
}

/** Since when the tenant has been awake by its owners' word, or for a job; a use counts by itself. */
export function awakeAfter({ tenant, wish, now }: PlanInput): Instant | undefined {
  const { effective, awakeSince } = tenant.status
  const job = jobUse(tenant, now)
  // Noted with the waking, because what the gateway said before its sleep is forgotten when it is opened again.
  if (wish.effective === 'running' && effective === 'idle-suspended' && job > (awakeSince ?? 0)) return job
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
