// Webhooks out, over real HTTP: in order, at least once, through receivers that fail, hang, redirect or want no more.
import test from 'ava'
import { Webhook } from 'standardwebhooks'
import { waits } from '../../src/webhooks/deliverer.ts'
import { httpSender, isPrivate, urlProblem } from '../../src/webhooks/send.ts'
import { realClock } from '../../src/clock.ts'
import { until } from '../helpers/processes.ts'
import { webhookKeys } from '../helpers/webhook-keys.ts'
import { outbox, receiver } from './fixture.ts'

interface Told {
  readonly data: { readonly tenant: string; readonly revision: number }
}

const revisions = (bodies: readonly { readonly body: string }[], tenant: string) =>
  bodies
    .map(({ body }) => (JSON.parse(body) as Told).data)
    .flatMap((data) => (data.tenant === tenant ? [data.revision] : []))

test('in order for each tenant while the receiver fails, and another tenant need not wait', async (t) => {
  const box = await outbox(t)
  const hook = await receiver(t, (count, body) => (body.includes('"acme"') && count <= 4 ? 500 : 204))
  const endpoint = await box.endpoint(hook.url)
  for (const revision of [3, 4, 7, 9]) await box.tell([endpoint], 'acme', revision)
  await box.tell([endpoint], 'globex', 1)
  box.deliverer().wake()
  await box.settled('done', 1)
  t.deepEqual(new Set(revisions(hook.received, 'acme')), new Set([3]))
  await until('acme is told all', 60_000, async () => {
    box.later(60_000)
    return (await box.webhooks.deliveries({ state: 'done', limit: 9 })).length === 5 ? true : undefined
  })
  const told = revisions(hook.received, 'acme')
  t.deepEqual([...new Set(told)], [3, 4, 7, 9])
  t.deepEqual(
    told,
    told.toSorted((a, b) => a - b),
  )
})

test('each message is signed, with both secrets for a day after a change', async (t) => {
  const box = await outbox(t)
  const hook = await receiver(t, () => 200)
  const endpoint = await box.endpoint(hook.url, { secretVersion: 2, rotatedAt: box.clock.now() - 1_000 })
  await box.tell([endpoint], 'acme', 1)
  box.deliverer().wake()
  await box.settled('done', 1)
  const { headers, body } = hook.received[0] ?? t.fail('nothing was received')
  for (const version of [1, 2])
    t.notThrows(() =>
      new Webhook(webhookKeys.webhookSecret(endpoint.id, version)).verify(body, headers as Record<string, string>),
    )
  t.throws(() => new Webhook(webhookKeys.webhookSecret(endpoint.id, 3)).verify(body, headers as Record<string, string>))
  t.like(JSON.parse(body), { type: 'tenant.running', data: { tenant: 'acme', uid: 'acme', why: 'It runs.' } })
})

test('a receiver that hangs or redirects has failed; a redirect is not followed', async (t) => {
  const box = await outbox(t)
  const other = await receiver(t, () => 200)
  const slow = await receiver(t, () => 'hang')
  const away = await receiver(t, () => ({ to: other.url }))
  await box.tell([await box.endpoint(slow.url), await box.endpoint(away.url)], 'acme', 1)
  box.deliverer().wake()
  const failed = await until('both have failed', 60_000, async () => {
    const found = await box.webhooks.deliveries({ state: 'pending', limit: 9 })
    return found.every(({ lastError }) => typeof lastError === 'string') ? found : undefined
  })
  t.deepEqual(failed.map(({ lastError }) => lastError).sort(), ['It answered with 302.', 'No answer in 10 s.'])
  t.is(other.received.length, 0)
})

test('410 ends it: the endpoint is disabled and nothing is sent any more', async (t) => {
  const box = await outbox(t)
  const hook = await receiver(t, () => 410)
  const endpoint = await box.endpoint(hook.url)
  await box.tell([endpoint], 'acme', 1)
  await box.tell([endpoint], 'acme', 2)
  box.deliverer().wake()
  await box.settled('dead', 2)
  t.is(hook.received.length, 1)
  t.like(await box.webhooks.endpoint(endpoint.id), { state: 'disabled', reason: 'It answered 410 Gone.' })
})

test('after about three days it is a dead letter, and can be sent again', async (t) => {
  const box = await outbox(t)
  let works = false
  const hook = await receiver(t, () => (works ? 200 : 503))
  await box.tell([await box.endpoint(hook.url)], 'acme', 1)
  const deliverer = box.deliverer()
  deliverer.wake()
  const [dead] = await until('it is given up', 60_000, async () => {
    box.later(14 * 3_600_000)
    deliverer.wake()
    const found = await box.webhooks.deliveries({ state: 'dead', limit: 9 })
    return found.length === 1 ? found : undefined
  })
  t.is(hook.received.length, waits.length + 1)
  t.like(dead, { lastStatus: 503, lastError: 'It answered with 503.' })
  const hours = waits.reduce((sum, wait) => sum + wait, 0) / 3_600_000
  t.true(hours > 68 && hours < 80, String(hours))
  works = true
  await box.webhooks.redeliver(dead?.id ?? '', box.clock.now())
  deliverer.wake()
  await box.settled('done', 1)
})

test('a process that dies in the middle of a try: another one makes it again, and not before', async (t) => {
  const box = await outbox(t)
  const hook = await receiver(t, () => 200)
  await box.tell([await box.endpoint(hook.url)], 'acme', 1)
  const [delivery] = await box.webhooks.deliveries({ limit: 1 })
  // The one that dies has claimed its try.
  t.true(delivery !== undefined && (await box.webhooks.claim(delivery, box.clock.now() + 60_000)))
  t.false(delivery !== undefined && (await box.webhooks.claim(delivery, box.clock.now() + 60_000)))
  const [one, two] = [box.deliverer(), box.deliverer()]
  one.wake()
  two.wake()
  await realClockTurn()
  t.is(hook.received.length, 0)
  box.later(61_000)
  one.wake()
  two.wake()
  await box.settled('done', 1)
  t.is(hook.received.length, 1)
})

const realClockTurn = () => new Promise<void>((resolve) => void realClock.after(1_000, resolve))

test('the same thing told twice is told once', async (t) => {
  const box = await outbox(t)
  const hook = await receiver(t, () => 200)
  const endpoint = await box.endpoint(hook.url)
  await Promise.all([1, 2, 3].map(() => box.tell([endpoint], 'acme', 1)))
  box.deliverer().wake()
  await box.settled('done', 1)
  await box.tell([endpoint], 'acme', 1)
  t.is((await box.webhooks.deliveries({ limit: 9 })).length, 1)
})

test('private networks are out of reach, by address and by name', async (t) => {
  for (const address of ['127.0.0.1', '10.1.2.3', '169.254.169.254', '::1', 'fdaa::3', '::ffff:127.0.0.1', '0.0.0.0'])
    t.true(isPrivate(address), address)
  for (const address of ['1.1.1.1', '2606:4700::1111']) t.false(isPrivate(address), address)
  for (const url of [
    'http://a.example/',
    'https://localhost/',
    'https://[::1]/',
    'https://2130706433/',
    'https://a:b@c.example/',
    'https://x.internal/',
    'ftp://a.example',
  ])
    t.is(typeof urlProblem(url, false), 'string', url)
  t.is(urlProblem('https://billing.example/hook', false), undefined)
  const sender = httpSender({ clock: realClock, allowPrivate: false })
  t.teardown(() => sender.close())
  const hook = await receiver(t, () => 200)
  const { error } = await sender.send({ url: hook.url.replace('http:', 'https:'), headers: {}, body: '' })
  t.is(error, 'The URL must not lead into a private network.')
  t.is(hook.received.length, 0)
})
