// One at a time: for what must be checked and written without another doing the same in between.

export type Turnstile = <T>(action: () => Promise<T>) => Promise<T>

/** Runs actions one after the other, in the order they came; one that fails lets the next one in. */
export function turnstile(): Turnstile {
  let last: Promise<unknown> = Promise.resolve()
  return (action) => {
    const mine = last.then(action, action)
    last = mine
    return mine
  }
}
