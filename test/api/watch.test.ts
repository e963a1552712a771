// Watching tenants: who is there, what changes, and going on after a break.
import http from 'node:http'
import test from 'ava'
import { createParser } from 'eventsource-parser'
import { until } from '../helpers/processes.ts'
import { startTestApi, stored, tenantDocument, token, type ApiUnderTest } from './fixture.ts'

interface Heard {
  readonly events: { type: string; id: string; name: string | undefined }[]
  stop(): void
  ended(): boolean
}

function listen(api: ApiUnderTest, query = 'watch', lastId?: string): Promise<Heard> {
  const events: Heard['events'] = []
  let ended = false
  const parser = createParser({
    onEvent: ({ event = '', id = '', data }) => {
      events.push({ type: event, id, name: (JSON.parse(data) as { name?: string }).name })
    },
  })
  const headers = { authorization: `Bearer ${token}`, ...(lastId === undefined ? {} : { 'last-event-id': lastId }) }
  return new Promise((resolve, reject) => {
    const request = http.get(`${api.url}/v1/tenants?${query}`, { headers, agent: false }, (response) => {
      response.setEncoding('utf8')
      response.on('data', (text: string) => parser.feed(text))
      response.on('close', () => (ended = true))
      response.on('error', () => (ended = true))
      resolve({ events, stop: () => request.destroy(), ended: () => ended })
    })
    request.on('error', reject)
  })
}

const told = ({ events }: Heard) => events.map(({ type, name = '' }) => `${type} ${name}`.trim())
const hears = (heard: Heard, count: number) =>
  until(`${count} events`, 30_000, async () => (heard.events.length >= count ? true : undefined))

test('a watcher hears who is there, then every change, and only of its selection', async (t) => {
  const api = await startTestApi(t)
  await api.putJson('acme', tenantDocument('acme', {}, { plan: 'pro' }))
  const [all, pro] = [await listen(api), await listen(api, 'watch&labelSelector=plan%3Dpro')]
  await Promise.all([hears(all, 2), hears(pro, 2)])
  await api.putJson('beta', tenantDocument('beta'))
  await api.putJson('acme', tenantDocument('acme', { state: 'suspended' }, { plan: 'team' }))
  await hears(all, 4)
  await api.tenants.purge(await stored(api.tenants, 'beta'))
  await Promise.all([hears(all, 5), hears(pro, 3)])
  t.deepEqual(told(all), ['ADDED acme', 'BOOKMARK', 'ADDED beta', 'MODIFIED acme', 'DELETED beta'])
  t.deepEqual(told(pro), ['ADDED acme', 'BOOKMARK', 'DELETED acme'])
  for (const heard of [all, pro]) heard.stop()
})

test('who was away goes on where they were; a place that nobody knows is begun anew', async (t) => {
  const api = await startTestApi(t)
  await api.putJson('acme', tenantDocument('acme'))
  const first = await listen(api)
  await hears(first, 2)
  const place = first.events.at(-1)?.id ?? ''
  first.stop()
  await api.putJson('beta', tenantDocument('beta'))
  const again = await listen(api, 'watch', place)
  await hears(again, 1)
  t.deepEqual(told(again), ['ADDED beta'])
  again.stop()
  for (const unknown of ['00.1', 'nonsense', `${place}999`]) {
    const anew = await listen(api, 'watch', unknown)
    await hears(anew, 4)
    t.deepEqual(told(anew), ['RELIST', 'ADDED acme', 'ADDED beta', 'BOOKMARK'], unknown)
    anew.stop()
  }
})

test('streams end when the API does', async (t) => {
  const api = await startTestApi(t)
  const heard = await listen(api)
  await hears(heard, 1)
  await api.running.close()
  await until('the stream ends', 5_000, async () => (heard.ended() ? true : undefined))
  t.pass()
})
