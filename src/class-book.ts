// The class book of this process: filled from the database at start, with the shipped classes where a name is absent, and
// kept in step with what every process writes.
import { ClassBook } from '../reconciler/rollout/book.ts'
import { newClass } from '../reconciler/rollout/class-change.ts'
import type { ClassDocument, StoredClass } from '../specs/class.ts'
import type { Clock } from '../specs/clock.ts'
import { newUid } from '../specs/names.ts'
import type { ClassStore } from './store/classes.ts'
import type { Rollouts } from './store/rollouts.ts'

export interface BookStores {
  readonly classes: ClassStore
  readonly rollouts: Rollouts
}

/** Adds the classes whose name is absent, and never overwrites one. Answers what was added. */
export async function seedClasses(
  store: ClassStore,
  shipped: Iterable<ClassDocument>,
  clock: Clock,
): Promise<readonly StoredClass[]> {
  const added: StoredClass[] = []
  for (const document of shipped) {
    const fresh = newClass(
      document,
      newUid((length) => clock.bytes(length)),
      clock.now(),
    )
    if ((await store.read(fresh.name)) === undefined && (await store.add(fresh))) added.push(fresh)
  }
  return added
}

/** Reads everything that counts now into the book: each class, the rollout that it names, and those that are open. */
export async function fillBook(book: ClassBook, { classes, rollouts }: BookStores): Promise<void> {
  const known = book.names()
  for (const rollout of await rollouts.open()) book.takeRollout(rollout)
  const found = await classes.all()
  for (const { rollout } of found) {
    const named = rollout && (await rollouts.read(rollout.id))
    if (named !== undefined) book.takeRollout(named)
  }
  for (const each of found) book.takeClass(each)
  const names = new Set(found.map(({ name }) => name))
  for (const name of known) if (!names.has(name)) book.dropClass(name)
}

export interface OpenBook {
  readonly book: ClassBook
  close(): Promise<void>
}

/** Opens the book. `failed` hears of a reading again that did not work; the book stays as it was. */
export async function openBook(stores: BookStores, failed: (error: unknown) => void): Promise<OpenBook> {
  const book = new ClassBook()
  const reload = () => void fillBook(book, stores).catch(failed)
  const watches = await Promise.all([
    stores.rollouts.watch({
      changed: (rollout) => book.takeRollout(rollout),
      removed: () => {}, // Nobody removes a rollout.
      missed: reload,
    }),
    stores.classes.watch({
      changed: (found) => book.takeClass(found),
      removed: (name) => book.dropClass(name),
      missed: reload,
    }),
  ])
  await fillBook(book, stores)
  return {
    book,
    close: async () => {
      await Promise.all(watches.map((watch) => watch.close()))
    },
  }
}
