// Claims: a new tenant gets a machine that stands ready, where one fits. The claim itself is one compare-and-set on one
// document, so that any number of processes never give one machine twice.
import { fitting } from '../reconciler/pool/fit.ts'
import type { ClassBook } from '../reconciler/rollout/book.ts'
import type { Clock } from '../specs/clock.ts'
import type { Tenant } from '../specs/tenant.ts'
import type { Members } from './store/members.ts'

export interface ClaimOptions {
  readonly members: Pick<Members, 'ready' | 'claim'>
  readonly classes: Pick<ClassBook, 'classOf'>
  readonly clock: Clock
}

/** After so many members that others were quicker to take, what is left is read again. */
const mostLost = 3
/** And after so many readings the tenant gets a machine of its own: it has waited long enough. */
const mostReadings = 3

/** Of those that fit, the readiest first; others that are tried after it are drawn, so that a crowd does not fight for one. */
function inTurn<T>([first, ...rest]: readonly T[], random: () => number): readonly T[] {
  if (first === undefined) return []
  const start = Math.floor(random() * rest.length)
  return [first, ...rest.slice(start), ...rest.slice(0, start)].slice(0, mostLost)
}

/** Makes a member the tenant's; undefined where none fits, or the tenant's name was taken meanwhile. */
export function claiming({ members, classes, clock }: ClaimOptions): (tenant: Tenant) => Promise<Tenant | undefined> {
  const classOf = (tenant: Tenant) => classes.classOf(tenant)
  return async (tenant) => {
    const { region, class: className } = tenant.spec
    for (let reading = 0; reading < mostReadings; reading += 1) {
      const ready = await members.ready(region, className)
      const found = fitting(tenant, ready, classOf, clock.now())
      if (found.length === 0) return undefined
      for (const { member, claimed } of inTurn(found, () => clock.random())) {
        const written = await members.claim(member, claimed)
        if (written !== undefined) return written
      }
    }
    return undefined
  }
}
