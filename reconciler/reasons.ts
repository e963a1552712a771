// Reasons: each word that a condition, a fault or a verdict may carry, in the sentence of a person: what it means, what is
// being waited for, which part it is about, and what can be done. A test holds the list complete.
import type { ReasonWords } from './reason.ts'
import { faults, holds, verdicts } from './reason-stops.ts'
import { plain, waits } from './reason-waits.ts'

export const reasons: Readonly<Record<string, ReasonWords>> = { ...plain, ...waits, ...holds, ...verdicts, ...faults }

/** The words of a reason; undefined for one that is not in the list. */
export function reasonWords(reason: string): ReasonWords | undefined {
  return Object.hasOwn(reasons, reason) ? reasons[reason] : undefined
}
