// Follows where WebSocket frames end in a stream of bytes (RFC 6455 5.2), and which carry messages, without looking into
// them. Pure.

/** Close, 1001 "going away", unmasked as from a server. */
export const goingAway = Buffer.from([0x88, 0x02, 0x03, 0xe9])

/** The bytes of a header after the first two: an extended length and a mask. */
function restOfHeader(second: number): number {
  const length = second & 0x7f
  return (length === 126 ? 2 : length === 127 ? 8 : 0) + (second >= 0x80 ? 4 : 0)
}

export class FrameTracker {
  /** Bytes of the header in progress. */
  readonly #header: number[] = []
  #payloadLeft = 0
  /** Whether the frame in progress is one of data, or of control: close, ping, pong (RFC 6455 5.5). */
  #data = false

  /** Whether a frame of ours may follow what was seen so far. */
  get between(): boolean {
    return this.#header.length === 0 && this.#payloadLeft === 0
  }

  /** Takes the next bytes. @returns whether some of them belong to a message, and not only to pings and the like */
  feed(chunk: Uint8Array): boolean {
    let data = false
    for (let at = 0; at < chunk.length;) {
      if (this.#payloadLeft > 0) {
        const taken = Math.min(this.#payloadLeft, chunk.length - at)
        this.#payloadLeft -= taken
        at += taken
      } else {
        if (this.#header.length === 0) this.#data = ((chunk[at] ?? 0) & 0x08) === 0
        this.#header.push(chunk[at] ?? 0)
        at += 1
        this.#endHeader()
      }
      data ||= this.#data
    }
    return data
  }

  #endHeader(): void {
    const [, second] = this.#header
    if (second === undefined || this.#header.length < 2 + restOfHeader(second)) return
    const length = second & 0x7f
    const extended = this.#header.slice(2, length === 126 ? 4 : length === 127 ? 10 : 2)
    this.#payloadLeft = length < 126 ? length : extended.reduce((sum, byte) => sum * 256 + byte, 0)
    this.#header.length = 0
  }
}
