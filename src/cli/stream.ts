// A watch as the command line follows it: over breaks, from the last event that came, until it is told to stop.
import { createParser } from 'eventsource-parser'
import type { Clock } from '../../specs/clock.ts'
import type { Lists } from './answers.ts'
import { type Api, type Asked, RequestError } from './client.ts'

export interface StreamEvent {
  readonly type: string
  readonly data: unknown
}

export interface Following {
  readonly api: Api
  readonly path: keyof Lists
  readonly asked: Asked
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly take: (event: StreamEvent) => void
  /** Says what is no part of the answer. */
  readonly note: (line: string) => void
}

/** Twice the server's sign of life, and a little. */
const silenceMs = 40_000
const pauses = [200, 1_000, 2_000, 5_000, 10_000]

function pause({ clock, signal }: Following, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(ms, resolve)
    signal.addEventListener('abort', () => {
      cancel()
      resolve()
    })
  })
}

/** What another try would not mend: it was refused, and not for want of something that comes back. */
function isFinal(error: unknown): boolean {
  if (!(error instanceof RequestError)) return true
  return error.status !== undefined && error.status < 500 && error.status !== 429
}

/** Reads one stream to its end. A stream that is silent for too long counts as broken. */
async function readOnce(
  { api, path, asked, clock, signal, take }: Following,
  place: { lastId?: string },
): Promise<void> {
  const silence = new AbortController()
  const begin = () => clock.after(silenceMs, () => silence.abort())
  let cancel = begin()
  const parser = createParser({
    onEvent: ({ event = '', id, data }) => {
      take({ type: event, data: JSON.parse(data) as unknown })
      if (id !== undefined) place.lastId = id
    },
  })
  const decoder = new TextDecoder()
  try {
    const either = AbortSignal.any([signal, silence.signal])
    for await (const chunk of await api.stream(path, asked, { lastId: place.lastId, signal: either })) {
      cancel()
      cancel = begin()
      parser.feed(decoder.decode(chunk, { stream: true }))
    }
  } finally {
    cancel()
  }
}

/**
 * Follows a list until the signal. Throws what the first try throws, and later what no other try would mend; everything else
 * is tried again.
 */
export async function follow(following: Following): Promise<void> {
  const { signal, note } = following
  const place: { lastId?: string } = {}
  let failures = 0
  const isOver = () => signal.aborted
  while (!isOver()) {
    const before = place.lastId
    try {
      await readOnce(following, place)
      failures = 0
    } catch (error) {
      // An aborted reading ends in an error of its own kind, as does a connection that breaks.
      if (isOver()) return
      const isBroken = error instanceof TypeError || (error instanceof Error && error.name === 'AbortError')
      if (place.lastId === undefined || (!isBroken && isFinal(error))) throw error
      if (place.lastId !== before) failures = 0
      if (failures === 0) note('moor: the stream broke; trying to go on')
      failures += 1
    }
    await pause(following, pauses[Math.min(failures, pauses.length - 1)] ?? 0)
  }
}
