// The MongoDB wire protocol as bytes: frames, OP_MSG both ways, and the OP_QUERY with which a driver says hello.
import { decode, type Doc, encode } from './bson.ts'

const opReply = 1
const opQuery = 2004
const opMsg = 2013
const headerBytes = 16

export const maxMessageBytes = 48_000_000

/** Flags of OP_MSG; of the low 16 bits, unknown ones must be refused. */
const checksumPresent = 1
const moreToCome = 2
const requiredFlags = 0xffff

export interface Message {
  readonly requestId: number
  /** How the reply has to be framed. */
  readonly kind: 'query' | 'msg'
  /** The client does not want a reply (write concern 0). */
  readonly isSilent: boolean
  readonly body: Doc
  /** Documents that came beside the body, still encoded: `documents`, `updates`, `deletes`. */
  readonly sequences: ReadonlyMap<string, readonly Uint8Array[]>
}

/** A message that breaks the protocol; nothing can be answered, so the connection ends. */
export class ProtocolError extends Error {}

/** Cuts a stream of bytes into messages. */
export class Framer {
  #chunks: Buffer[] = []
  #length = 0

  push(chunk: Buffer): Buffer[] {
    this.#chunks.push(chunk)
    this.#length += chunk.length
    const frames: Buffer[] = []
    for (let size = this.#next(); size !== undefined; size = this.#next()) frames.push(this.#take(size))
    return frames
  }

  /** The size of the first message when all of it is here. Chunks are joined only then, so large ones cost no copies. */
  #next(): number | undefined {
    if (this.#length < headerBytes) return undefined
    if ((this.#chunks[0]?.length ?? 0) < 4) this.#join()
    const size = this.#chunks[0]?.readInt32LE(0) ?? 0
    if (size < headerBytes || size > maxMessageBytes) throw new ProtocolError(`a message of ${size} bytes`)
    return this.#length < size ? undefined : size
  }

  #take(size: number): Buffer {
    const all = this.#join()
    this.#chunks = all.length === size ? [] : [all.subarray(size)]
    this.#length -= size
    return all.subarray(0, size)
  }

  #join(): Buffer {
    const all =
      this.#chunks.length === 1 && this.#chunks[0] !== undefined ? this.#chunks[0] : Buffer.concat(this.#chunks)
    this.#chunks = [all]
    return all
  }
}

export function parseMessage(frame: Buffer): Message {
  const requestId = frame.readInt32LE(4)
  const opCode = frame.readInt32LE(12)
  if (opCode === opMsg) return parseMsg(frame, requestId)
  if (opCode === opQuery) return parseQuery(frame, requestId)
  throw new ProtocolError(`unknown operation code ${opCode}`)
}

function parseMsg(frame: Buffer, requestId: number): Message {
  const flags = frame.readUInt32LE(headerBytes)
  if ((flags & requiredFlags & ~(checksumPresent | moreToCome)) !== 0) throw new ProtocolError(`OP_MSG flags ${flags}`)
  const end = (flags & checksumPresent) === 0 ? frame.length : frame.length - 4
  const sequences = new Map<string, Uint8Array[]>()
  let body: Doc | undefined
  for (let at = headerBytes + 4; at < end;) {
    const kind = frame.readUInt8(at)
    const size = frame.readInt32LE(at + 1)
    if (size < 5 || at + 1 + size > end) throw new ProtocolError(`an OP_MSG section of ${size} bytes`)
    const section = frame.subarray(at + 1, at + 1 + size)
    if (kind === 0) body = decode(section)
    else if (kind === 1) parseSequence(section, sequences)
    else throw new ProtocolError(`an OP_MSG section of kind ${kind}`)
    at += 1 + size
  }
  if (body === undefined) throw new ProtocolError('OP_MSG without a body')
  return { requestId, kind: 'msg', isSilent: (flags & moreToCome) !== 0, body, sequences }
}

function parseSequence(section: Buffer, sequences: Map<string, Uint8Array[]>): void {
  const nameEnd = section.indexOf(0, 4)
  const documents: Uint8Array[] = []
  for (let at = nameEnd + 1; at < section.length;) {
    const size = section.readInt32LE(at)
    if (size < 5 || at + size > section.length) throw new ProtocolError(`a document of ${size} bytes in a sequence`)
    documents.push(section.subarray(at, at + size))
    at += size
  }
  sequences.set(section.toString('utf8', 4, nameEnd), documents)
}

/** flags, `admin.$cmd`, skip, count, then the query: the legacy form, today only for the first hello. */
function parseQuery(frame: Buffer, requestId: number): Message {
  const nameEnd = frame.indexOf(0, headerBytes + 4)
  const name = frame.toString('utf8', headerBytes + 4, nameEnd)
  const body = decode(frame.subarray(nameEnd + 9))
  return {
    requestId,
    kind: 'query',
    isSilent: false,
    body: { ...body, $db: name.replace(/\.\$cmd$/, '') },
    sequences: new Map(),
  }
}

export function encodeReply(to: Message, reply: Uint8Array): Buffer {
  return to.kind === 'msg' ? msgReply(to.requestId, reply) : queryReply(to.requestId, reply)
}

function msgReply(responseTo: number, reply: Uint8Array): Buffer {
  const prefix = Buffer.alloc(headerBytes + 5)
  return frameOf(prefix, responseTo, opMsg, reply)
}

/** OP_REPLY: flags (8: await capable), cursor 0, from 0, one document. */
function queryReply(responseTo: number, reply: Uint8Array): Buffer {
  const prefix = Buffer.alloc(headerBytes + 20)
  prefix.writeInt32LE(8, headerBytes)
  prefix.writeInt32LE(1, headerBytes + 16)
  return frameOf(prefix, responseTo, opReply, reply)
}

function frameOf(prefix: Buffer, responseTo: number, opCode: number, reply: Uint8Array): Buffer {
  prefix.writeInt32LE(prefix.length + reply.length, 0)
  prefix.writeInt32LE(responseTo, 8)
  prefix.writeInt32LE(opCode, 12)
  return Buffer.concat([prefix, reply])
}

const documentType = 3
const arrayType = 4

/** `{ cursor: { firstBatch | nextBatch: [...], ...cursor }, ok: 1 }`, with documents that are encoded already. */
export function encodeCursorReply(batchName: string, documents: readonly Uint8Array[], cursor: Doc): Uint8Array {
  const elements = documents.map((document, at) => element(documentType, String(at), document))
  const inner = documentOf([element(arrayType, batchName, documentOf(elements)), fieldsOf(cursor)])
  return documentOf([element(documentType, 'cursor', inner), fieldsOf({ ok: 1 })])
}

function element(type: number, name: string, value: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([type]), Buffer.from(`${name}\0`), value])
}

/** The fields of a document without its length and its end. */
function fieldsOf(doc: Doc): Uint8Array {
  return encode(doc).subarray(4, -1)
}

function documentOf(elements: readonly Uint8Array[]): Buffer {
  const size = elements.reduce((sum, { length }) => sum + length, 5)
  const head = Buffer.alloc(4)
  head.writeInt32LE(size, 0)
  return Buffer.concat([head, ...elements, Buffer.from([0])])
}
