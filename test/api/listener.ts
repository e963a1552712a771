// A reader of server-sent events.
import http from 'node:http'
import { createParser } from 'eventsource-parser'
import { until } from '../helpers/processes.ts'
import { token as adminToken, type ApiUnderTest } from './fixture.ts'

export interface HeardEvent {
  readonly type: string
  readonly id: string
  readonly data: Readonly<Record<string, unknown>>
}

export interface Heard {
  readonly events: HeardEvent[]
  readonly status: number
  stop(): void
  ended(): boolean
}

export interface Listening {
  readonly lastId?: string
  readonly token?: string
}

/** Reads the stream at a path of the API. */
export function listenTo(
  api: Pick<ApiUnderTest, 'url'>,
  path: string,
  { lastId, token = adminToken }: Listening = {},
): Promise<Heard> {
  const events: HeardEvent[] = []
  let ended = false
  const parser = createParser({
    onEvent: ({ event = '', id = '', data }) => {
      events.push({ type: event, id, data: JSON.parse(data) as HeardEvent['data'] })
    },
  })
  const headers = { authorization: `Bearer ${token}`, ...(lastId === undefined ? {} : { 'last-event-id': lastId }) }
  return new Promise((resolve, reject) => {
    const request = http.get(`${api.url}${path}`, { headers, agent: false }, (response) => {
      response.setEncoding('utf8')
      response.on('data', (text: string) => parser.feed(text))
      response.on('close', () => (ended = true))
      response.on('error', () => (ended = true))
      const status = response.statusCode ?? 0
      resolve({ events, status, stop: () => request.destroy(), ended: () => ended })
    })
    request.on('error', reject)
  })
}

/** Waits until so many events have come. */
export async function hears(heard: Heard, count: number): Promise<void> {
  await until(`${count} events`, 30_000, async () => (heard.events.length >= count ? true : undefined))
}

/** Waits until the stream has ended. */
export async function ends(heard: Heard): Promise<void> {
  await until('the stream ends', 10_000, async () => (heard.ended() ? true : undefined))
}

/** `ADDED acme`, with the field of the data that is named. */
export function told({ events }: Heard, field = 'name'): string[] {
  return events.map(({ type, data }) => {
    const found = data[field]
    return typeof found === 'string' ? `${type} ${found}` : type
  })
}

/** A service token that sees only the tenants with these labels. */
export async function limitedToken(api: ApiUnderTest, labelSelector: string, role = 'viewer'): Promise<string> {
  const body = JSON.stringify({ name: 'limited', role, labelSelector })
  const asked = { method: 'POST', body, headers: { 'content-type': 'application/json' } }
  return String((await api.call('/v1/tokens', asked)).json()['secret'])
}
