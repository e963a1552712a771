// Follows where WebSocket frames end in a stream of bytes (RFC 6455 5.2), and which carry messages, without looking into
// them. Pure.

/** Close, 1001 "going away", unmasked as from a server. */
export const goingAway = Buffer.from([0x88, 0x02, 0x03, 0xe9])

/** Keeps numbers only: there are two of these for each open WebSocket. */
export class FrameTracker {
  /** Bytes seen of the header in progress. */
  #seen = 0
  /** How many of the header's bytes tell an extended length, and where the header ends. */
  #extended = 0
  #headerBytes = 2
  #length = 0
  #payloadLeft = 0
  /** Whether the frame in progress is one of data, or of control: close, ping, pong (RFC 6455 5.5). */
  #data = false

  /** Whether a frame of ours may follow what was seen so far. */
  get between(): boolean {
    return this.#seen === 0 && this.#payloadLeft === 0
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
        this.#header(chunk[at] ?? 0)
        at += 1
      }
      data ||= this.#data
    }
    return data
  }

  #header(byte: number): void {
    if (this.#seen === 0) this.#data = (byte & 0x08) === 0
    else if (this.#seen === 1) {
      const length = byte & 0x7f
      this.#extended = length === 126 ? 2 : length === 127 ? 8 : 0
      this.#headerBytes = 2 + this.#extended + (byte >= 0x80 ? 4 : 0)
      this.#length = this.#extended === 0 ? length : 0
    } else if (this.#seen < 2 + this.#extended) this.#length = this.#length * 256 + byte
    this.#seen += 1
    if (this.#seen < 2 || this.#seen < this.#headerBytes) return
    this.#payloadLeft = this.#length
    this.#seen = 0
  }
}
