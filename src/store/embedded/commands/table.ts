// All commands by name. What is not here is answered with 59 CommandNotFound.
import type { Command } from '../command.ts'
import { aggregate } from './aggregate.ts'
import { drop, listCollections } from './collections.ts'
import { getMore, killCursors } from './cursor.ts'
import { remove } from './delete.ts'
import { find } from './find.ts'
import { findAndModify } from './find-and-modify.ts'
import { buildInfo, endSessions, hello, ping } from './hello.ts'
import { createIndexes, dropIndexes, listIndexes } from './indexes.ts'
import { insert } from './insert.ts'
import { update } from './update.ts'

export const commands: ReadonlyMap<string, Command> = new Map<string, Command>([
  ['hello', { kind: 'read', run: hello }],
  ['isMaster', { kind: 'read', run: hello }],
  ['ismaster', { kind: 'read', run: hello }],
  ['ping', { kind: 'read', run: ping }],
  ['buildInfo', { kind: 'read', run: buildInfo }],
  ['buildinfo', { kind: 'read', run: buildInfo }],
  ['endSessions', { kind: 'write', run: endSessions }],
  ['find', { kind: 'read', run: find }],
  ['aggregate', { kind: 'read', run: aggregate }],
  ['getMore', { kind: 'read', run: getMore }],
  ['killCursors', { kind: 'read', run: killCursors }],
  ['insert', { kind: 'retryable', run: insert }],
  ['update', { kind: 'retryable', run: update }],
  ['delete', { kind: 'retryable', run: remove }],
  ['findAndModify', { kind: 'retryable', run: findAndModify }],
  ['findandmodify', { kind: 'retryable', run: findAndModify }],
  ['createIndexes', { kind: 'write', run: createIndexes }],
  ['dropIndexes', { kind: 'write', run: dropIndexes }],
  ['listIndexes', { kind: 'read', run: listIndexes }],
  ['listCollections', { kind: 'read', run: listCollections }],
  ['drop', { kind: 'write', run: drop }],
])
