// One tenant with an idle policy that lives through time in the model.
import { reconcile } from '../../reconciler/reconcile.ts'
import type { IdlePolicy } from '../../specs/fields.ts'
import { outsideOf, portsOver, type Outside } from './model-ports.ts'
import { tenantWith, uid } from './tenants.ts'

export const minute = 60_000

/** Lets time pass, with a pass whenever one is due. */
export async function live(outside: Outside, ms: number): Promise<void> {
  const end = outside.clock.now() + ms
  while (outside.clock.now() < end) {
    const back = await reconcile(portsOver(outside), uid)
    const pause = Math.min(Math.max((back?.at ?? end) - outside.clock.now(), 0), end - outside.clock.now())
    if (pause === 0) continue
    await outside.clock.advance(pause)
    outside.pass()
  }
}

/** Settled, with a policy of a quarter of an hour. */
export async function running(idle: IdlePolicy = { afterMinutes: 15 }): Promise<Outside> {
  const outside = outsideOf(tenantWith({ idle }, { createdAt: Date.UTC(2026, 0, 1) }))
  await live(outside, 2 * minute)
  outside.mutations.length = 0
  return outside
}

export const use = (outside: Outside) => (outside.lastUsedAt = outside.clock.now())
export const machineStates = ({ world }: Outside) => world.machines.map((machine) => machine.state).join()
