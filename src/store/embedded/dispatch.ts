// From a message to its reply: finds the command, checks what every command shares, and keeps retried writes from
// happening twice.
import { type Doc, encode, fieldOf, longOf, numberOf, show, typeOf } from './bson.ts'
import { type ClientConnection, type Command, type Request, sessionId } from './command.ts'
import { commands } from './commands/table.ts'
import { CommandError, errorReply, refused } from './errors.ts'
import { countField, docField, textField } from './options.ts'
import type { Deadline } from './scan.ts'
import type { Store } from './store.ts'
import type { Message } from './wire.ts'

/** Answers a message with an encoded reply; errors are replies too. Only a waiting getMore answers later. */
export function dispatch(
  store: Store,
  message: Message,
  connection: ClientConnection,
): Uint8Array | Promise<Uint8Array> {
  try {
    const reply = run(store, message, connection)
    return reply instanceof Promise ? reply.catch((error: unknown) => encode(errorReply(error))) : encodeResult(reply)
  } catch (error) {
    return encode(errorReply(error))
  }
}

function encodeResult(reply: Doc | Uint8Array): Uint8Array {
  return reply instanceof Uint8Array ? reply : encode({ ...reply, ok: 1 })
}

function run(store: Store, message: Message, connection: ClientConnection): Doc | Uint8Array | Promise<Uint8Array> {
  const { body, sequences } = message
  const [name = ''] = Object.keys(body)
  const command = commands.get(name)
  if (command === undefined) throw new CommandError('CommandNotFound', `no such command: '${name}'`)
  if (message.kind === 'query' && !/^(hello|ismaster)$/i.test(name)) {
    throw new CommandError('UnsupportedOpQueryCommand', `Unsupported OP_QUERY command: ${name}`)
  }
  checkShared(body)
  const session = sessionOf(body)
  const deadline = deadlineOf(name, body)
  const request: Request = { store, db: textField(body, '$db'), body, sequences, connection, deadline, session }
  checkNumbered(name, command, request)
  return command.kind === 'read' ? command.run(request) : write(command, request)
}

function checkNumbered(name: string, { kind }: Command, { body, session }: Request): void {
  if (!Object.hasOwn(body, 'txnNumber') || (kind === 'retryable' && session !== undefined)) return
  throw new CommandError('InvalidOptions', `${name} cannot carry a txnNumber, or not without an lsid`)
}

/** One write, or none: its effects, its events and the reply for a repeat are committed together. */
function write(command: Command, request: Request): Doc | Uint8Array {
  const { store, body, session } = request
  const number = fieldOf(body, 'txnNumber')
  return store.turn.write(() => {
    if (number === undefined || session === undefined) return synchronous(command, request)
    const key = Buffer.from(session, 'hex')
    const txn = Number(typeOf(number) === 'long' ? longOf(number) : numberOf(number))
    const earlier = store.retries.find(key, txn)
    if (earlier !== undefined) return earlier
    const reply = encodeResult(synchronous(command, request))
    store.retries.store(key, txn, reply)
    return reply
  })
}

function synchronous(command: Command, request: Request): Doc | Uint8Array {
  const reply = command.run(request)
  if (reply instanceof Promise) throw new TypeError('a command that writes cannot wait')
  return reply
}

function checkShared(body: Doc): void {
  if (Object.hasOwn(body, 'startTransaction') || Object.hasOwn(body, 'autocommit')) {
    // Not 20, with which a standalone mongod answers: the driver takes that for a server without retryable writes.
    throw new CommandError(
      'OperationNotSupportedInTransaction',
      'the embedded store has no multi-document transactions',
    )
  }
  checkReadConcern(docField(body, 'readConcern') ?? {})
  checkWriteConcern(docField(body, 'writeConcern') ?? {})
}

/** One copy that is read after its commit meets every level but a snapshot. */
function checkReadConcern(concern: Doc): void {
  for (const [name, value] of Object.entries(concern)) {
    const isMet = name === 'level' && ['local', 'available', 'majority', 'linearizable'].includes(String(value))
    if (!isMet) throw refused(`readConcern ${name}: ${show(value)}`)
  }
}

/** Every reply waits for the disk, which is more than w: 1 and as much as majority and j ask for. */
function checkWriteConcern(concern: Doc): void {
  const w = fieldOf(concern, 'w')
  const other = Object.keys(concern).find((name) => !['w', 'j', 'wtimeout', 'wtimeoutMS', 'fsync'].includes(name))
  if (other !== undefined) throw refused(`writeConcern ${other}`)
  if (w === undefined || w === 'majority' || numberOf(w) === 0 || numberOf(w) === 1) return
  throw new CommandError('UnsatisfiableWriteConcern', `Not enough data-bearing nodes for w: ${show(w)}; there is one`)
}

function sessionOf(body: Doc): string | undefined {
  const lsid = docField(body, 'lsid')
  return lsid === undefined ? undefined : sessionId(lsid)
}

/** getMore's maxTimeMS is how long it may wait for events, and no bound on its work. */
function deadlineOf(name: string, body: Doc): Deadline {
  const ms = name === 'getMore' ? 0 : (countField(body, 'maxTimeMS') ?? 0)
  if (ms === 0) return () => undefined
  const end = performance.now() + ms
  return () => {
    if (performance.now() > end) throw new CommandError('MaxTimeMSExpired', 'operation exceeded time limit')
  }
}
