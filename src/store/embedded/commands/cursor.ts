// getMore and killCursors.
import { BSON } from 'mongodb'
import { type Doc, fieldOf, longOf, numberOf, typeOf } from '../bson.ts'
import type { Request } from '../command.ts'
import { CommandError } from '../errors.ts'
import { checkCommand, countField, listField, textField } from '../options.ts'
import { encodeCursorReply } from '../wire.ts'

/** How long a change stream's getMore waits for an event when the client does not say; mongod waits a second too. */
const defaultWaitMs = 1000

export async function getMore({ store, db, body, connection }: Request): Promise<Uint8Array> {
  checkCommand('getMore', body, ['collection', 'batchSize'])
  const id = cursorId(fieldOf(body, 'getMore'))
  const namespace = `${db}.${textField(body, 'collection')}`
  const size = countField(body, 'batchSize')
  const wait = countField(body, 'maxTimeMS') ?? defaultWaitMs
  const batch = await store.cursors.next(id, namespace, size === 0 ? undefined : size, wait, connection.gone)
  const next = BSON.Long.fromBigInt(batch.more ? id : 0n)
  return encodeCursorReply('nextBatch', batch.documents, { id: next, ns: namespace, ...batch.extra })
}

export function killCursors({ store, body }: Request): Doc {
  checkCommand('killCursors', body, ['cursors'])
  const asked = listField(body, 'cursors').map(cursorId)
  const killed = store.cursors.kill(asked)
  const longs = (ids: readonly bigint[]) => ids.map((id) => BSON.Long.fromBigInt(id))
  return {
    cursorsKilled: longs(killed),
    cursorsNotFound: longs(asked.filter((id) => !killed.includes(id))),
    cursorsAlive: [],
    cursorsUnknown: [],
  }
}

function cursorId(value: unknown): bigint {
  if (typeOf(value) === 'long') return longOf(value)
  const number = numberOf(value)
  if (number !== undefined && Number.isInteger(number)) return BigInt(number)
  throw new CommandError('TypeMismatch', 'a cursor id must be a long')
}
