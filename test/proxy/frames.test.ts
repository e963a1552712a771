// Where frames end and which carry messages, however the bytes are cut into pieces.
import test from 'ava'
import fc from 'fast-check'
import { FrameTracker } from '../../proxy/frames.ts'

function frame(length: number, masked: boolean, opcode = 2): Buffer {
  const bit = masked ? 0x80 : 0
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10)
  head[0] = 0x80 | opcode
  head[1] = bit + (length < 126 ? length : length < 65_536 ? 126 : 127)
  if (head.length === 4) head.writeUInt16BE(length, 2)
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2)
  return Buffer.concat([head, Buffer.alloc(masked ? 4 : 0, 1), Buffer.alloc(length, 0x88)])
}

test('it is between two frames exactly where one has ended', (t) => {
  const lengths = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.constantFrom(125, 126, 127, 65_535, 65_536, 70_000))
  const property = fc.property(
    fc.array(fc.tuple(lengths, fc.boolean()), { minLength: 1, maxLength: 5 }),
    fc.array(fc.integer({ min: 1, max: 50_000 }), { minLength: 1, maxLength: 20 }),
    (frames, cuts) => {
      const parts = frames.map(([length, masked]) => frame(length, masked))
      const ends = new Set([0, ...parts.map((_, index) => Buffer.concat(parts.slice(0, index + 1)).length)])
      const bytes = Buffer.concat(parts)
      const tracker = new FrameTracker()
      for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
        const next = Math.min(bytes.length, at + (cuts[turn % cuts.length] ?? 1))
        tracker.feed(bytes.subarray(at, next))
        at = next
        if (tracker.between !== ends.has(at)) return false
      }
      return tracker.between
    },
  )
  t.notThrows(() => fc.assert(property, { numRuns: 100, seed: 7 }))
})

test('a piece with a byte of a message is told from one of pings and pongs, however the bytes are cut', (t) => {
  const opcodes = fc.constantFrom(0, 1, 2, 8, 9, 10)
  const property = fc.property(
    fc.array(fc.tuple(fc.integer({ min: 0, max: 300 }), opcodes), { minLength: 1, maxLength: 6 }),
    fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 1, maxLength: 20 }),
    (frames, cuts) => {
      const parts = frames.map(([length, opcode]) => frame(length, true, opcode))
      const ofData = frames.flatMap(([, opcode], index) => Array<boolean>(parts[index]?.length ?? 0).fill(opcode < 8))
      const bytes = Buffer.concat(parts)
      const tracker = new FrameTracker()
      for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
        const next = Math.min(bytes.length, at + (cuts[turn % cuts.length] ?? 1))
        if (tracker.feed(bytes.subarray(at, next)) !== ofData.slice(at, next).includes(true)) return false
        at = next
      }
      return true
    },
  )
  t.notThrows(() => fc.assert(property, { numRuns: 100, seed: 7 }))
})
