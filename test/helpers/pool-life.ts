// A pool member's life over the model of Fly, for tests: it stands ready, and is claimed.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { claimedFrom } from '../../reconciler/pool/fit.ts'
import type { Ports } from '../../reconciler/ports.ts'
import { reconcile } from '../../reconciler/reconcile.ts'
import { memberName } from '../../specs/names.ts'
import type { PoolTier } from '../../specs/pool.ts'
import type { Tenant } from '../../specs/tenant.ts'
import { outsideOf, portsOver, type Outside } from './model-ports.ts'
import { freshStatus, tenantWith, uid } from './tenants.ts'

const bootScript = readFileSync(join(import.meta.dirname, '..', '..', 'boot', 'start.sh'), 'utf8')
export const minute = 60_000

/** With the boot script, in which is the program that tells a gateway whose it is. */
export function portsOf(outside: Outside): Ports {
  const ports = portsOver(outside)
  return { ...ports, settings: { ...ports.settings, bootScript } }
}

/** Passes for so long; `seen` looks on after each. */
export async function live(outside: Outside, ms: number, seen: () => void = () => {}): Promise<void> {
  const end = outside.clock.now() + ms
  const ports = portsOf(outside)
  while (outside.clock.now() <= end && !outside.purged) {
    const back = await reconcile(ports, uid)
    seen()
    if (back === undefined) return
    const pause = Math.max(back.at - outside.clock.now(), 0)
    if (pause === 0) continue
    await outside.clock.advance(Math.min(pause, end + 1 - outside.clock.now()))
    outside.pass()
  }
}

/** A member that stands ready; nothing has been changed since. */
export async function member(tier: PoolTier): Promise<Outside> {
  const status = { ...freshStatus, effective: 'pool-warm', hosts: [] }
  const outside = outsideOf(tenantWith({}, { name: memberName(uid), pool: { name: 'warm', tier }, status }))
  await live(outside, 2 * minute)
  outside.mutations.length = 0
  return outside
}

/** What an API does: changes a wish. */
export function write(outside: Outside, next: Tenant): void {
  const { generation, revision } = outside.tenant
  outside.tenant = { ...next, generation: generation + 1, revision: revision + 1 }
}

/** It becomes acme. */
export function claim(outside: Outside): void {
  write(outside, claimedFrom(outside.tenant, tenantWith(), outside.clock.now()))
}
