// Billing's word on many tenants at once: in bulk with a token, and by a signed webhook without one. Both go the way of the
// single entitlement, with the same brake, so neither is a way around an admin's approval.
import type { Context } from 'koa'
import { z } from 'zod'
import { dnsLabel } from '../../specs/fields.ts'
import { check } from '../../specs/parse.ts'
import { entitlement } from '../../specs/tenant.ts'
import type { BillingMessages } from '../store/billing.ts'
import { whyNotTrusted } from '../webhooks/signature.ts'
import { bytes, document } from './body.ts'
import { inBillingsPlace, setCaller } from './caller.ts'
import { json, operation, type Operation } from './operation.ts'
import { invalid, Problem } from './problem.ts'
import type { TenantRoutes } from './tenants.ts'
import { mayKnow } from './visible.ts'
import { takeWord, type BillingWord } from './writes.ts'

export interface BillingRoutes extends TenantRoutes {
  readonly billing: {
    /** Undefined: the webhook is not set up. */
    readonly secrets: readonly string[] | undefined
    readonly messages: BillingMessages
  }
}

const most = 1_000
/** Tenants that are written at the same time. */
const mostAtOnce = 8
/** How far billing's clock may be ahead of ours. */
const aheadMs = 300_000

const outcomes = ['applied', 'unchanged', 'parked', 'older', 'not-found', 'failed'] as const

const resultShape = z.strictObject({
  name: z.string(),
  /** `parked`: waits for an admin; `older`: a newer word was there already. */
  outcome: z.enum(outcomes),
  detail: z.string().optional(),
})
const resultsShape = z.strictObject({ items: z.array(resultShape) }).meta({ id: 'EntitlementResults' })

type Result = z.infer<typeof resultShape>

const bulk = z
  .strictObject({
    items: z
      .array(z.strictObject({ name: dnsLabel, entitlement }))
      .min(1)
      .max(most),
  })
  .refine(({ items }) => new Set(items.map(({ name }) => name)).size === items.length, {
    path: ['items'],
    message: 'must not name a tenant twice',
  })
  .meta({ id: 'Entitlements' })

const hookItem = z.strictObject({
  tenant: dnsLabel,
  entitlement: entitlement.shape.state,
  occurredAt: z.iso.datetime({ offset: true }).transform((text) => Date.parse(text)),
  reason: entitlement.shape.reason,
})
const hookBody = z.array(hookItem).min(1).max(most)

/** One word; a failure of one is its own result and keeps no other from being taken. */
async function takeOne(routes: BillingRoutes, context: Context, name: string, word: BillingWord): Promise<Result> {
  const known = await routes.tenants.byName(name)
  if (known === undefined || !mayKnow(context, known)) return { name, outcome: 'not-found' }
  try {
    const { outcome, tenant } = await takeWord(routes, name, word)
    if (outcome === 'applied' || outcome === 'parked') routes.wake(tenant.uid)
    return { name, outcome }
  } catch (error) {
    if (!(error instanceof Problem) || error.status >= 500) throw error
    return { name, outcome: error.code === 'not-found' ? 'not-found' : 'failed', detail: error.message }
  }
}

/** In the order given where it is about the same tenant; the results in the order given too. */
async function takeAll(
  routes: BillingRoutes,
  context: Context,
  words: readonly { readonly name: string; readonly word: BillingWord }[],
): Promise<Result[]> {
  const results: Result[] = []
  const lanes = [...Map.groupBy(words.keys(), (index) => words[index]?.name ?? '').values()]
  const work = async () => {
    for (let lane = lanes.shift(); lane !== undefined; lane = lanes.shift())
      for (const index of lane) {
        const { name = '', word } = words[index] ?? {}
        if (word !== undefined) results[index] = await takeOne(routes, context, name, word)
      }
  }
  await Promise.all(Array.from({ length: mostAtOnce }, work))
  return results
}

function parsedHook(text: string, now: number): z.infer<typeof hookBody> {
  const value = ((): unknown => {
    try {
      return JSON.parse(text)
    } catch (error) {
      throw new Problem(400, 'invalid', 'The body is not JSON.', { cause: error })
    }
  })()
  const checked = check(hookBody, value)
  if (!checked.ok) throw invalid(checked.problems)
  const ahead = checked.value.findIndex(({ occurredAt }) => occurredAt > now + aheadMs)
  if (ahead < 0) return checked.value
  const place = { path: `[${ahead}].occurredAt`, pointer: `/${ahead}/occurredAt` }
  throw invalid([{ ...place, message: 'must not be in the future' }])
}

function trustedText(context: Context, { clock, billing: { secrets } }: BillingRoutes, raw: Buffer): string {
  if (secrets === undefined)
    throw new Problem(404, 'not-found', 'Billing’s webhook is not set up: MOORAGE_BILLING_WEBHOOK_SECRETS.')
  const header = (name: string) => context.get(`webhook-${name}`)
  const headers = { id: header('id'), timestamp: header('timestamp'), signature: header('signature') }
  const text = raw.toString()
  // A signature is of bytes: what is not UTF-8 would not be read as it was signed.
  const why = Buffer.from(text).equals(raw)
    ? whyNotTrusted(secrets, headers, text, clock.now())
    : 'The body is not valid UTF-8.'
  if (why !== undefined) throw new Problem(401, 'unauthorized', why)
  return text
}

async function hook(routes: BillingRoutes, context: Context, raw: Buffer): Promise<void> {
  const { clock, billing } = routes
  const text = trustedText(context, routes, raw)
  setCaller(context, { id: 'billing-webhook', role: 'billing', selector: undefined })
  const id = context.get('webhook-id')
  const before = await billing.messages.answered(id)
  if (before !== undefined) {
    context.body = JSON.parse(before) as object
    return
  }
  const words = parsedHook(text, clock.now())
    .toSorted((a, b) => a.occurredAt - b.occurredAt)
    .map(({ tenant, entitlement: state, occurredAt, reason }) => ({
      name: tenant,
      word: { entitlement: { state, ...(reason === undefined ? {} : { reason }) }, occurredAt },
    }))
  const items = await takeAll(routes, context, words)
  // One that failed is for billing to send again, with the same id; taking the others twice changes nothing.
  const failed = items.find(({ outcome }) => outcome === 'failed')
  if (failed !== undefined) throw new Problem(409, 'conflict', failed.detail ?? 'A tenant could not be written.')
  await billing.messages.taken(id, clock.now(), JSON.stringify({ items }))
  context.body = { items }
}

/** The operations on many entitlements. */
export function billingOperations(routes: BillingRoutes): readonly Operation[] {
  return [
    operation({
      ...{
        id: 'putEntitlements',
        method: 'put',
        path: '/v1/entitlements',
        tag: 'billing',
        roles: ['admin', 'billing'],
      },
      summary: "Billing's word on many tenants, with a result for each; the brake counts over all of them.",
      limited: true,
      body: document(bulk),
      answers: { 200: json(resultsShape, { description: 'What became of each, in the order given.' }) },
      handle: async ({ context, body: { items } }) => {
        const by = inBillingsPlace(context)
        const words = items.map(({ name, entitlement: word }) => ({ name, word: { entitlement: word, by } }))
        context.body = { items: await takeAll(routes, context, words) }
      },
    }),
    operation({
      ...{ id: 'takeBillingWebhook', method: 'post', path: '/v1/hooks/billing', tag: 'billing', roles: 'open' },
      summary:
        'Changes of entitlement from billing: a list of {tenant, entitlement, occurredAt, reason?}, signed as Standard Webhooks.',
      body: bytes(['application/json']),
      answers: {
        200: json(resultsShape, { description: 'What became of each, in the order in which they occurred.' }),
      },
      problems: [401, 404, 409],
      handle: ({ context, body }) => hook(routes, context, body),
    }),
  ]
}
