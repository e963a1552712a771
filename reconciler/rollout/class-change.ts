// What a new spec makes of a class: a new image becomes a rollout, everything else counts at once. Pure.
import { isDeepStrictEqual } from 'node:util'
import type { ClassDocument, ClassSpec, StoredClass } from '../../specs/class.ts'
import type { Instant } from '../../specs/clock.ts'
import { lastWave, type Rollout } from '../../specs/rollout.ts'

/** What a class that did not exist starts as: its image has nothing to be rolled out over. */
export function newClass({ kind, name, spec }: ClassDocument, uid: string, now: Instant): StoredClass {
  return { kind, name, spec, uid, stable: spec.image, generation: 1, revision: 1, createdAt: now }
}

/** What most tenants run: the image of a rollout counts once it is open to all. */
export function stableAfter({ stable }: StoredClass, rollout: Rollout | undefined): string {
  if (rollout === undefined) return stable
  const open = rollout.state === 'rolling' || rollout.state === 'halted'
  return rollout.state === 'done' || (open && rollout.wave === lastWave) ? rollout.to : stable
}

export interface ClassChange {
  readonly spec: ClassSpec
  /** The present rollout of the class, if it has one. */
  readonly rollout: Rollout | undefined
  /** The id of the rollout that may start. */
  readonly id: string
  readonly now: Instant
}

/** The class with its new spec; the same where nothing changes. */
export function changedClass(before: StoredClass, { spec, rollout, id, now }: ClassChange): StoredClass {
  if (isDeepStrictEqual(before.spec, spec)) return before
  const next = { ...before, spec, generation: before.generation + 1 }
  if (spec.image === before.spec.image) return next
  const stable = stableAfter(before, rollout)
  return { ...next, stable, rollout: spec.image === stable ? undefined : { id, startedAt: now } }
}

/** The class after its rollout is done. */
export function settledClass(before: StoredClass, { to }: Rollout): StoredClass {
  return { ...before, stable: to, rollout: undefined }
}
