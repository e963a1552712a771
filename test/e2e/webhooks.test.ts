// Webhooks out from real processes to a receiver on loopback: what becomes of a tenant is told, signed and in order, also by a
// receiver that fails at first and across a kill -9.
import test, { type ExecutionContext } from 'ava'
import { Webhook } from 'standardwebhooks'
import { api, converged, put, type Asked } from '../helpers/client.ts'
import { startMoorage, until, withFolder, type Moorage } from '../helpers/processes.ts'
import { receiver, type Received } from '../webhooks/fixture.ts'

interface Message {
  readonly type: string
  readonly timestamp: string
  readonly data: { readonly tenant: string; readonly uid: string; readonly revision: number; readonly why: string }
}

const settings = { MOORAGE_WEBHOOK_ALLOW_PRIVATE: '1' }

function send(moorage: Moorage, path: string, body: object) {
  const asked: Asked = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
  return api(moorage, path, asked)
}

const messages = (received: readonly Received[]) => received.map(({ body }) => JSON.parse(body) as Message)

/** What was told of a tenant, each thing once, in the order in which it came first. */
const toldOf = (received: readonly Received[], name: string) => [
  ...new Set(messages(received).flatMap(({ type, data }) => (data.tenant === name ? [type] : []))),
]

function checkSigned(t: ExecutionContext, received: readonly Received[], secret: string): void {
  for (const { headers, body } of received)
    t.notThrows(() => new Webhook(secret).verify(body, headers as Record<string, string>))
}

test('the life of a tenant is told in order, signed, by processes that die and a receiver that fails', (t) => {
  t.timeout(300_000)
  return withFolder(async (folder) => {
    let down = false
    const hook = await receiver(t, (count) => (down || count === 1 ? 503 : 204))
    const only = await receiver(t, () => 200)
    let moorage = await startMoorage(folder, settings)
    const hears = (type: string) =>
      until(`hooli is told to be ${type}: ${moorage.output()}`, 90_000, async () =>
        toldOf(hook.received, 'hooli').includes(type) ? true : undefined,
      )
    try {
      const added = await send(moorage, '/v1/webhook-endpoints', { url: hook.url })
      t.is(added.status, 201, added.text)
      const { secret } = added.json() as { secret: string }
      const chosen = { url: only.url, events: ['tenant.deleted'] }
      t.is((await send(moorage, '/v1/webhook-endpoints', chosen)).status, 201)
      t.is((await put(moorage, 'hooli', { class: 'byok' })).status, 201)
      const { uid } = await converged(moorage, 'hooli')
      await hears('tenant.running')

      // The receiver is away; what is to be told outlives the process.
      down = true
      await put(moorage, 'hooli', { class: 'byok', state: 'suspended' })
      await converged(moorage, 'hooli')
      await until('it waits in the outbox', 30_000, async () => {
        const { text } = await api(moorage, '/v1/webhook-deliveries?state=pending&tenant=hooli')
        return text.includes('tenant.suspended') ? text : undefined
      })
      await moorage.end('SIGKILL')
      down = false
      moorage = await startMoorage(folder, settings)
      await hears('tenant.suspended')
      t.is((await api(moorage, '/v1/tenants/hooli', { method: 'DELETE' })).status, 202)
      await hears('tenant.deleted')

      t.deepEqual(toldOf(hook.received, 'hooli'), ['tenant.running', 'tenant.suspended', 'tenant.deleted'])
      const revisions = messages(hook.received).flatMap(({ data }) => (data.uid === uid ? [data.revision] : []))
      t.deepEqual(
        revisions,
        revisions.toSorted((a, b) => a - b),
        'in the order of revisions, repeats included',
      )
      checkSigned(t, hook.received, secret)
      const ids = new Map(hook.received.map(({ headers, body }) => [body, headers['webhook-id']]))
      t.is(new Set(ids.values()).size, ids.size, 'the same message has the same id, another has another')
      await until('the other is told what it asked for', 30_000, async () =>
        only.received.length > 0 ? true : undefined,
      )
      t.deepEqual(toldOf(only.received, 'hooli'), ['tenant.deleted'])
      t.deepEqual([...new Set(messages(only.received).map(({ type }) => type))], ['tenant.deleted'])
    } finally {
      await moorage.end('SIGTERM')
    }
  })
})

test('without the setting a receiver on loopback is refused', (t) =>
  withFolder(async (folder) => {
    const hook = await receiver(t, () => 204)
    const moorage = await startMoorage(folder)
    try {
      for (const url of [hook.url, hook.url.replace('http:', 'https:')]) {
        const answer = await send(moorage, '/v1/webhook-endpoints', { url })
        t.is(answer.status, 400)
        t.regex(answer.text, /"path":"url"/)
      }
      t.is((await api(moorage, '/v1/webhook-endpoints')).text, '{"items":[]}')
    } finally {
      await moorage.end('SIGTERM')
    }
    t.is(hook.received.length, 0)
  }))
