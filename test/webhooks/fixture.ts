// The outbox in a real store, real HTTP receivers, and a deliverer whose clock can be moved on.
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { Clock } from '../../specs/clock.ts'
import { realClock } from '../../src/clock.ts'
import { openStore } from '../../src/store/open.ts'
import { webhooksIn, type DeliveryState, type Endpoint } from '../../src/store/webhooks.ts'
import { Deliverer, type DelivererOptions } from '../../src/webhooks/deliverer.ts'
import { httpSender } from '../../src/webhooks/send.ts'
import { until } from '../helpers/processes.ts'
import { webhookKeys } from '../helpers/webhook-keys.ts'

export interface Received {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** What it answers: a status, `hang`, or a redirect to an address. */
export type Behaviour = number | 'hang' | { readonly to: string }

export async function receiver(t: ExecutionContext, behave: (count: number, body: string) => Behaviour) {
  const received: Received[] = []
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const body = Buffer.concat(parts).toString()
      received.push({ headers: request.headers, body })
      const answer = behave(received.length, body)
      if (answer === 'hang') return
      if (typeof answer === 'number') response.writeHead(answer).end('x'.repeat(100))
      else response.writeHead(302, { location: answer.to }).end()
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, received }
}

export async function outbox(t: ExecutionContext) {
  const folder = await mkdtemp(join(tmpdir(), 'moorage-webhooks-'))
  const store = await openStore({ uri: undefined, folder })
  const webhooks = webhooksIn(store.db)
  let ahead = 0
  // Waits are short in real time: what matters is what the clock says.
  const after: Clock['after'] = (ms, action) => realClock.after(ms === 10_000 ? 4_000 : Math.min(ms, 300), action)
  const clock: Clock = { ...realClock, now: () => realClock.now() + ahead, after }
  const running: Deliverer[] = []
  t.teardown(async () => {
    for (const deliverer of running) await deliverer.close()
    await store.close()
    await rm(folder, { recursive: true, force: true })
  })
  const deliverer = (more: Partial<DelivererOptions> = {}) => {
    const sender = httpSender({ clock, allowPrivate: true })
    const secretOf = webhookKeys.webhookSecret
    const made = new Deliverer({ webhooks, sender, clock, secretOf, failed: (error) => t.fail(String(error)), ...more })
    running.push(made)
    return made
  }
  const endpoint = async (url: string, more: Partial<Endpoint> = {}): Promise<Endpoint> => {
    const id = `whe_${Buffer.from(realClock.bytes(6)).toString('hex')}`
    const made = {
      id,
      url,
      events: [],
      state: 'enabled' as const,
      secretVersion: 1,
      createdAt: 0,
      revision: 1,
      ...more,
    }
    await webhooks.addEndpoint(made)
    return made
  }
  const tell = (to: readonly Endpoint[], uid: string, revision: number) => {
    const telling = { type: 'tenant.running', uid, tenant: uid, revision, at: clock.now(), why: 'It runs.' } as const
    return webhooks.tell(telling, to)
  }
  const settled = (state: DeliveryState, count: number) =>
    until(`${count} deliveries are ${state}`, 60_000, async () => {
      const found = await webhooks.deliveries({ state, limit: 500 })
      return found.length === count ? found : undefined
    })
  return { db: store.db, webhooks, clock, deliverer, endpoint, tell, settled, later: (ms: number) => (ahead += ms) }
}
