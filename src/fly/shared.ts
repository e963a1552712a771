// One expensive read for many callers.

/**
 * Whoever asks while a read is under way gets the next one: an answer that was begun before the question could miss what
 * the asker has just written.
 */
export function sharedRead<T>(read: () => Promise<T>): () => Promise<T> {
  let current: Promise<T> | undefined
  let next: Promise<T> | undefined
  const begin = (): Promise<T> => {
    const begun = read().finally(() => {
      if (current === begun) current = undefined
    })
    current = begun
    return begun
  }
  const afterCurrent = async (running: Promise<T>): Promise<T> => {
    // How the read before ended is its own callers' business.
    await running.then(
      () => undefined,
      () => undefined,
    )
    next = undefined
    return begin()
  }
  return () => {
    if (current === undefined) return begin()
    next ??= afterCurrent(current)
    return next
  }
}
