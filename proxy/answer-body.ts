// Follows a body on the wire to its end, without its framing. Pure.
import type { Framing } from './answer-head.ts'

/** A chunk's length, or a line of a trailer, with what may follow it; more is no honest peer. */
const lineBytes = 4_096
const trailerBytes = 16_384

const sizeLine = /^([0-9a-f]{1,13})[\t ]*(?:;[\t -~\x80-\xff]*)?$/i

export class BodyReader {
  readonly #framing: Framing
  #left: number
  /** Of a body in chunks: what comes next. */
  #awaits: 'size' | 'data' | 'end' | 'trailer' = 'size'
  #line = ''
  #trailer = 0
  #over: boolean

  constructor(framing: Framing) {
    this.#framing = framing
    this.#left = framing.kind === 'length' ? framing.bytes : 0
    this.#over = framing.kind === 'length' && framing.bytes === 0
  }

  /** Whether the body is complete. One that ends with the connection never is, before that. */
  get over(): boolean {
    return this.#over
  }

  /** Whether the end of the connection is the end of the body. */
  get endsWithConnection(): boolean {
    return this.#framing.kind === 'close'
  }

  /**
   * Takes the next bytes, and gives the body's part of them.
   *
   * @returns how many bytes were taken: all, or fewer where the body ended; -1 where they are none of a body
   */
  feed(bytes: Buffer, piece: (part: Buffer) => void): number {
    if (this.#framing.kind === 'chunked') return this.#chunks(bytes, piece)
    if (this.#over) return 0
    if (this.#framing.kind === 'close') {
      piece(bytes)
      return bytes.length
    }
    const taken = Math.min(this.#left, bytes.length)
    this.#left -= taken
    this.#over = this.#left === 0
    piece(taken === bytes.length ? bytes : bytes.subarray(0, taken))
    return taken
  }

  #chunks(bytes: Buffer, piece: (part: Buffer) => void): number {
    let at = 0
    while (at < bytes.length && !this.#over) {
      if (this.#awaits === 'data') {
        const taken = Math.min(this.#left, bytes.length - at)
        piece(bytes.subarray(at, at + taken))
        this.#left -= taken
        at += taken
        if (this.#left === 0) this.#awaits = 'end'
      } else {
        const next = this.#takeLine(bytes, at)
        if (next === -1) return -1
        at = next
      }
    }
    return at
  }

  /** @returns where the line ends, -1 where it is none */
  #takeLine(bytes: Buffer, from: number): number {
    const end = bytes.indexOf(10, from)
    const to = end === -1 ? bytes.length : end + 1
    this.#line += bytes.toString('latin1', from, to)
    if (this.#line.length > lineBytes) return -1
    if (end === -1) return to
    if (!this.#line.endsWith('\r\n')) return -1
    const line = this.#line.slice(0, -2)
    this.#line = ''
    return this.#took(line) ? to : -1
  }

  #took(line: string): boolean {
    if (this.#awaits === 'end') {
      this.#awaits = 'size'
      return line === ''
    }
    if (this.#awaits === 'trailer') {
      this.#over = line === ''
      this.#trailer += line.length
      return this.#trailer <= trailerBytes && !/[^\t -~\x80-\xff]/.test(line)
    }
    const [, size] = sizeLine.exec(line) ?? []
    this.#left = Number.parseInt(size ?? '0', 16)
    this.#awaits = this.#left === 0 ? 'trailer' : 'data'
    return size !== undefined
  }
}
