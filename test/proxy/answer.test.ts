// Reading an answer off the wire: what it says does not depend on where its bytes are cut, and what is in doubt is refused.
import test from 'ava'
import fc from 'fast-check'
import { BodyReader } from '../../proxy/answer-body.ts'
import { endOfHead, readHead } from '../../proxy/answer-head.ts'

const headOf = (text: string, method = 'GET') => readHead(Buffer.from(text, 'latin1'), method)
const answer = (...lines: string[]) => `HTTP/1.1 200 OK\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`

test('a head is read as Node reads it', (t) => {
  const head = headOf(
    answer('Content-Type:text/plain', 'X-Empty:', 'X-A:  \t1 \t', 'Vary: x', 'vary: y', 'X-L: \xe9\xa0'),
  )
  t.deepEqual(head?.headers, {
    'content-type': 'text/plain',
    'x-empty': '',
    'x-a': '1',
    vary: 'x, y',
    'x-l': '\xe9\xa0',
  })
  t.like(head, { statusCode: 200, statusMessage: 'OK', framing: { kind: 'close' }, stays: false })
  t.like(headOf('HTTP/1.1 204\r\n\r\n'), { statusCode: 204, statusMessage: '', stays: true })
})

test('what can be read in two ways is refused', (t) => {
  const doubtful = {
    'a blank before the colon': answer('Content-Length : 5'),
    'a line that goes on': answer('X: 1', ' 2'),
    'no name': answer(': x'),
    'no colon': answer('nonsense'),
    'a name with a blank': answer('X Y: 1'),
    'a bare LF': 'HTTP/1.1 200 OK\nX: 1\r\n\r\n',
    'a bare LF in a value': answer('X: 1\nContent-Length: 5'),
    'a bare CR in a value': answer('X: 1\rContent-Length: 5'),
    'a NUL': answer('X: \0'),
    'two lengths': answer('Content-Length: 5', 'Content-Length: 5'),
    'a list of lengths': answer('Content-Length: 5, 5'),
    'a length with a sign': answer('Content-Length: +5'),
    'a length beyond all numbers': answer(`Content-Length: ${'9'.repeat(20)}`),
    'a length and a coding': answer('Content-Length: 5', 'Transfer-Encoding: chunked'),
    'another coding': answer('Transfer-Encoding: gzip, chunked'),
    'two codings': answer('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'),
    'a coding in an old version': answer('Transfer-Encoding: chunked').replace('1.1', '1.0'),
    'another protocol': 'HTTP/2 200 OK\r\n\r\n',
    'a status of two digits': 'HTTP/1.1 20 OK\r\n\r\n',
  }
  for (const [what, text] of Object.entries(doubtful)) t.is(headOf(text), undefined, what)
})

test('an answer that has no body has none, whatever it says; others keep their connection where they may', (t) => {
  const none = { kind: 'length', bytes: 0 } as const
  t.deepEqual(headOf(answer('Content-Length: 5'), 'HEAD')?.framing, none)
  t.deepEqual(headOf('HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n')?.framing, none)
  t.true(headOf(answer('Content-Length: 5'))?.stays)
  t.true(headOf(answer('Transfer-Encoding: Chunked', 'Connection: keep-alive'))?.stays)
  t.false(headOf(answer('Content-Length: 5', 'Connection: x, Close'))?.stays)
  t.false(headOf(answer('Content-Length: 5').replace('1.1', '1.0'))?.stays)
})

/** Feeds pieces; -1 where one is refused, else the body and how many bytes were not taken. */
function fed(reader: BodyReader, pieces: readonly Buffer[]) {
  const body: Buffer[] = []
  let left = 0
  for (const piece of pieces) {
    const taken = reader.feed(piece, (part) => body.push(part))
    if (taken === -1) return -1
    left += piece.length - taken
  }
  return { body: Buffer.concat(body).toString('latin1'), left }
}

function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  return sorted.slice(1).map((to, index) => bytes.subarray(sorted[index], to))
}

test('a body in chunks is the same wherever it is cut, and what follows it is not taken', (t) => {
  const chunk = fc.record({
    data: fc.string({ minLength: 1, maxLength: 40 }),
    extension: fc.constantFrom('', ';a=b', ' '),
  })
  fc.assert(
    fc.property(fc.array(chunk), fc.constantFrom('', 'X-A: 1\r\n'), fc.array(fc.nat()), (chunks, trailer, places) => {
      const bytes = chunks.map(({ data, extension }) => {
        const part = Buffer.from(data)
        return Buffer.concat([Buffer.from(`${part.length.toString(16)}${extension}\r\n`), part, Buffer.from('\r\n')])
      })
      const whole = Buffer.concat([...bytes, Buffer.from(`0\r\n${trailer}\r\nREST`)])
      const reader = new BodyReader({ kind: 'chunked' })
      const body = Buffer.from(chunks.map(({ data }) => data).join('')).toString('latin1')
      t.deepEqual(fed(reader, cutAt(whole, places)), { body, left: 4 })
      t.true(reader.over)
    }),
  )
})

test('chunks that are none are refused', (t) => {
  for (const text of [
    'zz\r\n',
    '\r\n',
    '-1\r\n',
    '0x2\r\nok',
    '2\nok\r\n',
    '2\r\nokk\r\n',
    '2\r\nok\n',
    `1${'0'.repeat(14)}\r\n`,
    ' 2\r\nok\r\n',
    `2;${'x'.repeat(5_000)}`,
    '0\r\nX: \0\r\n\r\n',
  ])
    // prettier-ignore
    t.is(fed(new BodyReader({ kind: 'chunked' }), [Buffer.from(text)]), -1, text.slice(0, 20))
})

test('a body with a length ends there, and one without ends with its connection', (t) => {
  const sized = new BodyReader({ kind: 'length', bytes: 5 })
  t.deepEqual(fed(sized, [Buffer.from('he'), Buffer.from('lloREST')]), { body: 'hello', left: 4 })
  t.true(sized.over)
  const open = new BodyReader({ kind: 'close' })
  t.deepEqual(fed(open, [Buffer.from('hello')]), { body: 'hello', left: 0 })
  t.false(open.over)
  t.is(endOfHead(Buffer.from('a\r\n\r\nb')), 5)
})
