// Tells what the outbox holds: at least once, in order for each tenant and endpoint, again and again for about three days.
// Each try is claimed by compare-and-set, so several processes never make the same one, and a crash only delays it.
import type { Clock, Instant } from '../../specs/clock.ts'
import type { Delivery, Endpoint, Webhooks } from '../store/webhooks.ts'
import { bodyOf } from './events.ts'
import type { Sender } from './send.ts'
import { signatureOf } from './signature.ts'

const second = 1_000
const minute = 60 * second
const hour = 60 * minute

/** Waits after each failed try, together about three days; after the last one it is given up. */
export const waits = [
  5 * second,
  30 * second,
  2 * minute,
  10 * minute,
  30 * minute,
  hour,
  2 * hour,
  4 * hour,
  8 * hour,
].concat(Array.from({ length: 5 }, () => 12 * hour))

/** A try that nothing is heard of any more may be made again after this. */
const claimMs = 60 * second
const batch = 64
const idleMs = 5 * second
/** How long the secret before is still signed with. */
const overlapMs = 24 * hour

export interface DelivererOptions {
  readonly webhooks: Webhooks
  readonly sender: Sender
  readonly clock: Clock
  readonly secretOf: (endpoint: string, version: number) => string
  readonly failed: (error: unknown) => void
}

/** The secrets that an endpoint's messages are signed with now. */
export function liveVersions({ secretVersion, rotatedAt }: Endpoint, now: Instant): readonly number[] {
  return rotatedAt !== undefined && now - rotatedAt < overlapMs ? [secretVersion, secretVersion - 1] : [secretVersion]
}

export class Deliverer {
  readonly #options: DelivererOptions
  #cancel = () => {}
  #closed = false
  #turn: Promise<void> | undefined
  #again = false

  constructor(options: DelivererOptions) {
    this.#options = options
  }

  /** Something may be due: looks now, or once more after the look under way. */
  wake(): void {
    if (this.#closed) return
    if (this.#turn !== undefined) {
      this.#again = true
      return
    }
    this.#cancel()
    this.#turn = this.#run().finally(() => {
      this.#turn = undefined
      if (this.#again) this.#wakeAgain()
    })
  }

  /** Ends after the tries under way. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancel()
    await this.#turn
    await this.#options.sender.close()
  }

  #wakeAgain(): void {
    this.#again = false
    this.wake()
  }

  async #run(): Promise<void> {
    const { webhooks, clock, failed } = this.#options
    let delay = idleMs
    try {
      while (!this.#closed && (await this.#round())) this.#again = false
      const next = await webhooks.nextDue()
      if (next !== undefined) delay = Math.max(100, Math.min(idleMs, next - clock.now()))
    } catch (error) {
      failed(error)
    }
    if (!this.#closed) this.#cancel = clock.after(delay, () => this.wake())
  }

  /** Tries what is due, one for each tenant and endpoint; false when nothing was. */
  async #round(): Promise<boolean> {
    const { webhooks, clock } = this.#options
    const due = await webhooks.due(clock.now(), batch)
    if (due.length === 0) return false
    const endpoints = new Map((await webhooks.endpoints()).map((endpoint) => [endpoint.id, endpoint]))
    const lanes = Map.groupBy(due, ({ endpoint, uid }) => `${endpoint} ${uid}`)
    const tried = [...lanes.values()].map(async ([first]) => {
      if (first !== undefined) await this.#lane(first, endpoints.get(first.endpoint))
    })
    await Promise.all(tried)
    return true
  }

  async #lane(due: Delivery, endpoint: Endpoint | undefined): Promise<void> {
    const { webhooks, clock } = this.#options
    const now = clock.now()
    const head = (await webhooks.head(due)) ?? due
    if (head.nextAt > now) return webhooks.holdBehind({ ...due, revision: head.revision }, head.nextAt)
    if (endpoint?.state !== 'enabled') return this.#giveUp(head, endpoint === undefined ? 'gone' : 'disabled')
    if (await webhooks.claim(head, now + claimMs))
      await this.#attempt({ ...head, attempts: head.attempts + 1 }, endpoint)
  }

  async #giveUp(delivery: Delivery, why: string): Promise<void> {
    const { webhooks, clock } = this.#options
    const now = clock.now()
    await webhooks.end(delivery, { state: 'dead', nextAt: now, lastError: `The endpoint is ${why}.` }, now)
  }

  async #attempt(delivery: Delivery, endpoint: Endpoint): Promise<void> {
    const { webhooks, clock, sender, secretOf } = this.#options
    const at = clock.now()
    const body = bodyOf(delivery)
    const secrets = liveVersions(endpoint, at).map((version) => secretOf(endpoint.id, version))
    const id = `msg_${delivery.uid}_${delivery.revision}`
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'moorage',
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at / second)),
      'webhook-signature': signatureOf(secrets, { id, at, body }),
    }
    const { status: lastStatus, error: lastError } = await sender.send({ url: endpoint.url, headers, body })
    const now = clock.now()
    if (lastError === undefined)
      return webhooks.end(delivery, { state: 'done', nextAt: now, lastStatus, lastError }, now)
    // 410: whoever is there wants nothing more (Standard Webhooks).
    if (lastStatus === 410) await this.#disable(endpoint)
    const wait = lastStatus === 410 ? undefined : waits[delivery.attempts - 1]
    if (wait === undefined) return webhooks.end(delivery, { state: 'dead', nextAt: now, lastStatus, lastError }, now)
    const nextAt = now + Math.round(wait * (0.9 + clock.random() / 5))
    await webhooks.end(delivery, { state: 'pending', nextAt, lastStatus, lastError }, now)
    await webhooks.holdBehind(delivery, nextAt)
  }

  async #disable(endpoint: Endpoint): Promise<void> {
    await this.#options.webhooks.saveEndpoint({ ...endpoint, state: 'disabled', reason: 'It answered 410 Gone.' })
  }
}
