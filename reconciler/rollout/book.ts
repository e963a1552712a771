// The classes and their rollouts as one process knows them: fed by what is read, watched and written, asked by everybody.
import type { Classes, ClassSpec, StoredClass } from '../../specs/class.ts'
import type { Rollout } from '../../specs/rollout.ts'
import type { Tenant } from '../../specs/tenant.ts'
import { classSpecOf, type ClassEntry } from './image.ts'

/** Hears of a class that may give its tenants something else than before. */
export type BookListener = (name: string, before: ClassEntry | undefined, after: ClassEntry | undefined) => void

export class ClassBook implements Classes {
  readonly #classes = new Map<string, StoredClass>()
  readonly #rollouts = new Map<string, Rollout>()
  readonly #listeners = new Set<BookListener>()

  /** Another book, with what this one says now; nobody hears of its changes. */
  copy(): ClassBook {
    const copy = new ClassBook()
    for (const rollout of this.#rollouts.values()) copy.takeRollout(rollout)
    for (const found of this.#classes.values()) copy.takeClass(found)
    return copy
  }

  get(name: string): StoredClass | undefined {
    return this.#classes.get(name)
  }

  names(): readonly string[] {
    return [...this.#classes.keys()].sort()
  }

  entry(name: string): ClassEntry | undefined {
    const found = this.#classes.get(name)
    return found && { class: found, rollout: found.rollout && this.#rollouts.get(found.rollout.id) }
  }

  /** The class of a tenant, with the image that it gets now. */
  classOf(tenant: Tenant): ClassSpec | undefined {
    const entry = this.entry(tenant.spec.class)
    return entry && classSpecOf(entry, tenant)
  }

  /** Takes a class as read or written; an older version than the known one is not taken. */
  takeClass(found: StoredClass): void {
    const known = this.#classes.get(found.name)
    if (known?.uid === found.uid && known.revision >= found.revision) return
    this.#change(found.name, () => this.#classes.set(found.name, found))
  }

  dropClass(name: string): void {
    if (this.#classes.has(name)) this.#change(name, () => this.#classes.delete(name))
  }

  takeRollout(found: Rollout): void {
    const known = this.#rollouts.get(found.id)
    if (known !== undefined && known.revision >= found.revision) return
    this.#change(found.class, () => this.#rollouts.set(found.id, found))
  }

  /** Tells `listener` of each change from now on; the answer ends that. */
  follow(listener: BookListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #change(name: string, change: () => unknown): void {
    const before = this.entry(name)
    change()
    const after = this.entry(name)
    for (const listener of this.#listeners) listener(name, before, after)
  }
}
