// One proved connection to a machine, and HTTP/1.1 on it: one request at a time is written, and its answer read. What it
// cannot read for certain ends the connection. Node's own client costs two to three times as much.
import type net from 'node:net'
import { BodyReader } from './answer-body.ts'
import { endOfHead, headBytes, readHead, type AnswerHead } from './answer-head.ts'
import type { Patience } from './patience.ts'
import { reset } from './reset.ts'

/** More answers before the answer (RFC 9110 15.2) than anybody sends. */
const interims = 32

export class BadAnswer extends Error {
  override readonly name = 'BadAnswer'
}

/** The connection ended before the answer did. `code`: as Node has it. */
export class Broken extends Error {
  override readonly name = 'Broken'
  readonly code = 'ECONNRESET'
}

/** Hears the answer to a request. After `ended`, `failed` or `switched` nothing more is heard. */
export interface Listener {
  /** Not for interim answers. @returns false to hear no more: the connection is then ended */
  head(head: AnswerHead): boolean
  /** @param last whether the body ends with it; `ended` follows */
  data(piece: Buffer, last: boolean): void
  ended(): void
  /** The connection is over, or about to be. */
  failed(error: Error): void
  /** Only of an upgrade: the connection is no longer HTTP, and has no listener any more. `rest`: what came after the head. */
  switched?(head: AnswerHead, rest: Buffer): void
}

const nothing: Buffer = Buffer.alloc(0)

export class Wire {
  readonly socket: net.Socket
  /** Whether it has carried a request before. */
  reused = false
  /** Of who waits for an answer's head here. */
  patience: Patience | undefined
  #listener: Listener | undefined
  #method = ''
  #partial: Buffer = nothing
  #interims = 0
  #head: AnswerHead | undefined
  #body: BodyReader | undefined
  /** Whether the request is written, to its end. */
  #sent = true
  readonly #onData = (chunk: Buffer) => this.#took(chunk)
  readonly #onEnd = () => this.#ended()
  readonly #onClose = () => this.#fail(new Broken('the connection ended before the answer did'))

  constructor(socket: net.Socket) {
    this.socket = socket
    socket.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onClose)
  }

  /** Whether it can take a request: the last one is over, both ways, and nothing speaks against another. */
  get free(): boolean {
    return this.#listener === undefined && this.#sent && !this.socket.destroyed && this.socket.writable
  }

  /** Writes a request's head. @param whole whether that is all; else `sent` has to be called after the body */
  ask(method: string, head: string, whole: boolean, listener: Listener): void {
    this.#listener = listener
    this.#method = method
    this.#sent = whole
    this.#interims = 0
    if (this.socket.destroyed) {
      process.nextTick(this.#onClose)
      return
    }
    this.socket.write(head, 'latin1')
  }

  /** The request is written to its end. */
  sent(): void {
    this.#sent = true
  }

  /** Leaves the connection to somebody else. */
  #release(): void {
    this.socket.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onClose)
  }

  #took(chunk: Buffer): void {
    const { socket } = this
    if (this.#listener === undefined) {
      // Nobody has asked: what a machine says unasked must never become the answer to the next request.
      socket.destroy()
    } else if (this.#body === undefined) {
      this.#tookHead(this.#partial.length === 0 ? chunk : Buffer.concat([this.#partial, chunk]))
    } else this.#tookBody(this.#body, chunk)
  }

  #tookHead(bytes: Buffer): void {
    const end = endOfHead(bytes)
    if ((end === -1 ? bytes.length : end) > headBytes) {
      this.#refuse('the head of the answer is too large')
      return
    }
    if (end === -1) {
      this.#partial = bytes
      return
    }
    this.#partial = nothing
    const head = readHead(end === bytes.length ? bytes : bytes.subarray(0, end), this.#method)
    const rest = end === bytes.length ? nothing : bytes.subarray(end)
    if (head === undefined) this.#refuse('the answer is not HTTP/1.1, or can be read in two ways')
    else if (head.statusCode === 101) this.#switch(head, rest)
    else if (head.statusCode >= 100 && head.statusCode < 200) this.#interim(rest)
    else this.#begin(head, rest)
  }

  /** It concerns the connection between the tenant and us. */
  #interim(rest: Buffer): void {
    this.#interims += 1
    if (this.#interims > interims) this.#refuse('too many interim answers')
    else if (rest.length > 0) this.#tookHead(rest)
  }

  #switch(head: AnswerHead, rest: Buffer): void {
    const listener = this.#listener
    if (listener?.switched === undefined) {
      this.#refuse('the answer switches to another protocol, which nobody asked for')
      return
    }
    this.#listener = undefined
    this.#release()
    listener.switched(head, rest)
  }

  #begin(head: AnswerHead, rest: Buffer): void {
    this.#head = head
    this.#body = new BodyReader(head.framing)
    if (this.#listener?.head(head) !== true) {
      this.#listener = undefined
      reset(this.socket)
    } else if (this.#body.over) this.#finish(rest.length)
    else if (rest.length > 0) this.#tookBody(this.#body, rest)
  }

  #tookBody(body: BodyReader, bytes: Buffer): void {
    const taken = body.feed(bytes, (piece) => this.#listener?.data(piece, body.over))
    if (taken === -1) this.#refuse('the body of the answer is not in chunks')
    else if (body.over) this.#finish(bytes.length - taken)
  }

  /** The answer is complete. @param surplus bytes that came after it */
  #finish(surplus: number): void {
    const listener = this.#listener
    const stays = this.#head?.stays === true && surplus === 0 && this.#sent
    this.#listener = undefined
    this.#body = undefined
    this.#head = undefined
    this.reused = true
    if (!stays) this.#leave()
    listener?.ended()
  }

  /** No other request goes here. One that is not written to its end is given up by a reset. */
  #leave(): void {
    if (this.#sent) this.socket.end()
    else reset(this.socket)
    this.socket.destroySoon()
  }

  /** The tenant ends its side in order. */
  #ended(): void {
    if (this.#body?.endsWithConnection === true) this.#finish(1)
    else this.#fail(new Broken('the connection ended before the answer did'))
    this.socket.destroySoon()
  }

  #refuse(why: string): void {
    this.#fail(new BadAnswer(why))
    reset(this.socket)
  }

  #fail(error: Error): void {
    const listener = this.#listener
    this.#listener = undefined
    this.#body = undefined
    listener?.failed(error)
  }
}
