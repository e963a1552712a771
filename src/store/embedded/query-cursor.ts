// Cursors over documents that exist now: batches by count and by bytes, lazily, holding nothing between two commands.
import type { Batch, Cursor } from './cursors.ts'

/** A reply must fit the 48 MB of a message; mongod stops a batch at 16 MB. */
const maxBatchBytes = 16 * 1024 * 1024

/** Encoded documents, one by one; `pause` lets go of whatever reading holds. */
export interface Source {
  next(): Uint8Array | undefined
  pause(): void
}

/** `limit` (0 for none) lets the cursor end with the batch that reaches it, as mongod does. */
export function queryCursor(namespace: string, session: string | undefined, source: Source, limit: number): Cursor {
  let held: Uint8Array | undefined
  let given = 0

  const read = (size: number | undefined): Batch => {
    const documents: Uint8Array[] = []
    let bytes = 0
    while (size === undefined || documents.length < size) {
      const document = held ?? source.next()
      held = undefined
      if (document === undefined) return { documents, more: false, extra: {} }
      if (bytes > 0 && bytes + document.length > maxBatchBytes) {
        held = document
        break
      }
      bytes += document.length
      documents.push(document)
      given++
      if (given === limit) return { documents, more: false, extra: {} }
    }
    return { documents, more: true, extra: {} }
  }

  return {
    namespace,
    session,
    waits: false,
    read: (size) => {
      try {
        return read(size)
      } finally {
        source.pause()
      }
    },
  }
}
