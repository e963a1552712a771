// The operations on webhooks out: who is told, what was told, what could not be.
import { z } from 'zod'
import type { Clock } from '../../specs/clock.ts'
import { dnsLabel } from '../../specs/fields.ts'
import type { Delivery, DeliveryPlace, Endpoint, Webhooks } from '../store/webhooks.ts'
import { eventTypes } from '../webhooks/events.ts'
import { urlProblem } from '../webhooks/send.ts'
import { document } from './body.ts'
import { mergePatch, patched } from './merge-patch.ts'
import { empty, json, operation, type Operation } from './operation.ts'
import { Problem, refused } from './problem.ts'
import { linkNext } from './print.ts'
import { limitField } from './query.ts'
import { instant, pageOf } from './view.ts'
import { settled } from './writes.ts'

export interface WebhookRoutes {
  readonly clock: Clock
  readonly webhooks: {
    readonly store: Webhooks
    readonly secretOf: (endpoint: string, version: number) => string
    readonly allowPrivate: boolean
  }
}

const iso = (at: number) => new Date(at).toISOString()

const endpointBody = z
  .strictObject({
    url: z.string().max(2_000),
    /** Left out: all of them. */
    events: z.array(z.enum(eventTypes)).max(eventTypes.length).default([]),
    state: z.enum(['enabled', 'disabled']).default('enabled'),
  })
  .meta({ id: 'WebhookEndpointDocument' })

const endpointShape = z
  .strictObject({
    id: z.string(),
    url: z.string(),
    events: z.array(z.enum(eventTypes)),
    state: z.enum(['enabled', 'disabled']),
    reason: z.string().optional(),
    secretVersion: z.int(),
    createdAt: instant,
  })
  .meta({ id: 'WebhookEndpoint' })

/** The one answer that has the secret. */
const newEndpointShape = z
  .strictObject({ ...endpointShape.shape, secret: z.string() })
  .meta({ id: 'WebhookEndpointWithSecret' })

const deliveryShape = z
  .strictObject({
    id: z.string(),
    endpoint: z.string(),
    type: z.enum(eventTypes),
    tenant: z.string(),
    state: z.enum(['pending', 'done', 'dead']),
    attempts: z.int(),
    at: instant,
    nextAt: instant.optional(),
    lastStatus: z.int().optional(),
    lastError: z.string().optional(),
    why: z.string(),
  })
  .meta({ id: 'WebhookDelivery' })

const testedShape = z.strictObject({ delivery: z.string() })
export type TestedView = z.infer<typeof testedShape>

const deliveryCursor = z.string().transform((text, context): DeliveryPlace => {
  const [, at, id] = /^(\d{1,15})\.([\w.-]{1,128})$/.exec(Buffer.from(text, 'base64url').toString()) ?? []
  if (at !== undefined && id !== undefined) return { at: Number(at), id }
  context.addIssue({ code: 'custom', message: 'must be the nextCursor of an earlier answer' })
  return z.NEVER
})

export type EndpointView = z.infer<typeof endpointShape>
export type NewEndpointView = z.infer<typeof newEndpointShape>
export type DeliveryView = z.infer<typeof deliveryShape>

function endpointView({ id, url, events, state, reason, secretVersion, createdAt }: Endpoint) {
  const view = { id, url, events: [...events], state, secretVersion, createdAt: iso(createdAt) }
  return reason === undefined ? view : { ...view, reason }
}

function deliveryView(delivery: Delivery): z.infer<typeof deliveryShape> {
  const { id, endpoint, type, tenant, state, attempts, at, nextAt, lastStatus, lastError, why } = delivery
  return {
    ...{ id, endpoint, type, tenant, state, attempts, at: iso(at), why },
    ...(state === 'pending' ? { nextAt: iso(nextAt) } : {}),
    ...(typeof lastStatus === 'number' ? { lastStatus } : {}),
    ...(typeof lastError === 'string' && state !== 'done' ? { lastError } : {}),
  }
}

async function existing({ webhooks: { store } }: WebhookRoutes, id: string): Promise<Endpoint> {
  const endpoint = await store.endpoint(id)
  if (endpoint === undefined) throw new Problem(404, 'not-found', `There is no webhook endpoint ${id}.`)
  return endpoint
}

function checkUrl({ webhooks: { allowPrivate } }: WebhookRoutes, url: string): void {
  const detail = urlProblem(url, allowPrivate)
  if (detail !== undefined) throw refused([{ code: 'invalid', path: 'url', detail }])
}

function change(routes: WebhookRoutes, id: string, alter: (before: Endpoint) => Endpoint): Promise<Endpoint> {
  return settled(async () => routes.webhooks.store.saveEndpoint(alter(await existing(routes, id))), 'endpoint')
}

const list = { tag: 'webhooks', roles: ['admin', 'viewer'] } as const
const write = { tag: 'webhooks', roles: ['admin'] } as const
const path = '/v1/webhook-endpoints'

function endpointOperations(routes: WebhookRoutes): readonly Operation[] {
  const { clock } = routes
  // Looked at when asked: the API is described without any store.
  const store = () => routes.webhooks.store
  const withSecret = (endpoint: Endpoint) => ({
    ...endpointView(endpoint),
    secret: routes.webhooks.secretOf(endpoint.id, endpoint.secretVersion),
  })
  return [
    operation({
      ...{ id: 'listWebhookEndpoints', method: 'get', path, ...list },
      summary: 'Who is told of changes.',
      answers: { 200: json(z.strictObject({ items: z.array(endpointShape) })) },
      handle: async ({ context }) => {
        context.body = { items: (await store().endpoints()).map(endpointView) }
      },
    }),
    operation({
      ...{ id: 'addWebhookEndpoint', method: 'post', path, ...write },
      summary:
        'Tells an address of changes from now on; the answer alone has the secret that its messages are signed with.',
      secret: true,
      body: document(endpointBody),
      answers: { 201: json(newEndpointShape, { description: 'It was added.', headers: ['Location'] }) },
      handle: async ({ context, body }) => {
        checkUrl(routes, body.url)
        const id = `whe_${Buffer.from(clock.bytes(9)).toString('hex')}`
        const endpoint: Endpoint = { id, ...body, secretVersion: 1, createdAt: clock.now(), revision: 1 }
        await store().addEndpoint(endpoint)
        context.status = 201
        context.set('Location', `${path}/${id}`)
        context.body = withSecret(endpoint)
      },
    }),
    operation({
      ...{ id: 'getWebhookEndpoint', method: 'get', path: `${path}/{id}`, ...list },
      summary: 'One of them.',
      answers: { 200: json(endpointShape) },
      problems: [404],
      handle: async ({ context, params: { id } }) => {
        context.body = endpointView(await existing(routes, id))
      },
    }),
    operation({
      ...{ id: 'putWebhookEndpoint', method: 'put', path: `${path}/{id}`, ...write },
      summary: 'Replaces its address, its events and whether it is told.',
      body: document(endpointBody),
      answers: { 200: json(endpointShape) },
      problems: [404, 409],
      handle: async ({ context, params: { id }, body }) => {
        checkUrl(routes, body.url)
        context.body = endpointView(await change(routes, id, (before) => ({ ...before, ...body, reason: undefined })))
      },
    }),
    operation({
      ...{ id: 'patchWebhookEndpoint', method: 'patch', path: `${path}/{id}`, ...write },
      summary: 'Changes single fields of it (RFC 7396); null gives one its default back.',
      body: mergePatch,
      answers: { 200: json(endpointShape) },
      problems: [404, 409],
      handle: async ({ context, params: { id }, body }) => {
        const altered = (before: Endpoint): Endpoint => {
          const { url, events, state } = before
          const wanted = patched(endpointBody, { url, events, state }, body)
          checkUrl(routes, wanted.url)
          // Why it was put aside is of no account once a person has turned it on again.
          return { ...before, ...wanted, reason: wanted.state === 'enabled' ? undefined : before.reason }
        }
        context.body = endpointView(await change(routes, id, altered))
      },
    }),
    operation({
      ...{ id: 'removeWebhookEndpoint', method: 'delete', path: `${path}/{id}`, ...write },
      summary: 'Tells it no more, and forgets what was still to be told.',
      answers: { 204: empty('It is gone.') },
      problems: [404],
      handle: async ({ context, params: { id } }) => {
        await existing(routes, id)
        await store().removeEndpoint(id)
        context.status = 204
      },
    }),
    operation({
      ...{ id: 'rotateWebhookSecret', method: 'post', path: `${path}/{id}/actions/rotate-secret`, ...write },
      summary: 'A new secret; messages are signed with the one before, too, for a day.',
      secret: true,
      answers: { 200: json(newEndpointShape) },
      problems: [404, 409],
      handle: async ({ context, params: { id } }) => {
        const rotated = (before: Endpoint) => ({
          ...before,
          secretVersion: before.secretVersion + 1,
          rotatedAt: clock.now(),
        })
        context.body = withSecret(await change(routes, id, rotated))
      },
    }),
    operation({
      ...{ id: 'testWebhookEndpoint', method: 'post', path: `${path}/{id}/actions/test`, ...write },
      summary: 'Tells it something that means nothing.',
      answers: { 202: json(testedShape, { description: 'It will be told.' }) },
      problems: [404],
      handle: async ({ context, params: { id } }) => {
        const endpoint = await existing(routes, id)
        const at = clock.now()
        const telling = { type: 'webhook.test', uid: 'test', tenant: 'test', revision: at, at, why: 'A test.' } as const
        await store().tell(telling, [endpoint])
        context.status = 202
        context.body = { delivery: `${id}.test.${at}` }
      },
    }),
  ]
}

function deliveryOperations(routes: WebhookRoutes): readonly Operation[] {
  const { clock } = routes
  const store = () => routes.webhooks.store
  return [
    operation({
      ...{ id: 'listWebhookDeliveries', method: 'get', path: '/v1/webhook-deliveries', ...list },
      summary: 'What was told, is to be told, and could not be (dead), newest first.',
      query: z.strictObject({
        state: z.enum(['pending', 'done', 'dead']).optional(),
        endpoint: z.string().max(64).optional(),
        tenant: dnsLabel.optional(),
        limit: limitField,
        cursor: deliveryCursor.optional(),
      }),
      answers: { 200: json(pageOf(deliveryShape), { headers: ['Link'] }) },
      handle: async ({ context, query: { limit, cursor: after, ...wanted } }) => {
        const found = await store().deliveries({ ...wanted, after, limit: limit + 1 })
        const items = found.slice(0, limit)
        const last = found.length > limit ? items.at(-1) : undefined
        const next = last && Buffer.from(`${last.at}.${last.id}`).toString('base64url')
        if (next !== undefined) linkNext(context, next)
        context.body = { items: items.map(deliveryView), ...(next === undefined ? {} : { nextCursor: next }) }
      },
    }),
    operation({
      ...{ id: 'redeliverWebhook', method: 'post', path: '/v1/webhook-deliveries/{id}/actions/redeliver', ...write },
      summary: 'Tells it again, dead or done.',
      answers: { 202: json(deliveryShape, { description: 'It will be told.' }) },
      problems: [404],
      handle: async ({ context, params: { id } }) => {
        const delivery = await store().redeliver(id, clock.now())
        if (delivery === undefined) throw new Problem(404, 'not-found', `There is no delivery ${id}.`)
        context.status = 202
        context.body = deliveryView(delivery)
      },
    }),
  ]
}

/** The operations on webhooks out. */
export function webhookOperations(routes: WebhookRoutes): readonly Operation[] {
  return [...endpointOperations(routes), ...deliveryOperations(routes)]
}
