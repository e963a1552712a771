// What insert, update and delete share: a list of statements, each with its own rollback, and an error for each failure.
import { CommandError } from '../errors.ts'
import type { Doc } from '../bson.ts'
import type { Store } from '../store.ts'

/**
 * Runs the statements in turn, each whole or not at all, and answers `{ writeErrors }`, or nothing when all went well.
 * Ordered statements end at the first failure. What is no CommandError fails the whole command.
 */
export function perStatement<T>(
  store: Store,
  statements: readonly T[],
  isOrdered: boolean,
  run: (statement: T, index: number) => void,
): Doc {
  const writeErrors: Doc[] = []
  for (const [index, statement] of statements.entries()) {
    try {
      store.turn.write(() => run(statement, index))
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      const { code, codeName, message, extra } = error
      writeErrors.push({ index, code, codeName, errmsg: message, ...extra })
      if (isOrdered) break
    }
  }
  return writeErrors.length === 0 ? {} : { writeErrors }
}
