// The operations of service tokens, and of who one is oneself.
import type { Context } from 'koa'
import { z } from 'zod'
import { longestSelector, parseLabelSelector } from '../../specs/selector.ts'
import { day, graceHours, tokenLife, type ServiceToken } from '../identity/service-token.ts'
import type { Issued, ServiceTokens } from '../identity/service-tokens.ts'
import { document, optionalDocument } from './body.ts'
import { callerOf, roles } from './caller.ts'
import { empty, json, operation, type Operation } from './operation.ts'
import { Problem } from './problem.ts'
import { limitField } from './query.ts'
import { instant, pageOf } from './view.ts'
import { settled } from './writes.ts'

export interface TokenRoutes {
  readonly tokens: ServiceTokens
  readonly clock: { now(): number }
}

const hour = 3_600_000
const idShape = /^[a-z2-7]{16}$/

const selector = z
  .string()
  .min(1)
  .max(longestSelector)
  .superRefine((text, context) => {
    const parsed = parseLabelSelector(text)
    if (!parsed.ok)
      context.addIssue({ code: 'custom', message: `at character ${parsed.problem.at}: ${parsed.problem.message}` })
  })

const lifeDays = z.int().min(1).max(tokenLife.mostDays)

const newToken = z.strictObject({
  /** For people: what uses it. */
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}$/, 'must be 1 to 63 of letters, digits, space, dot, dash, underscore'),
  role: z.enum(roles),
  /** Limits it to the tenants whose labels match. */
  labelSelector: selector.optional(),
  expiresInDays: lifeDays.default(tokenLife.usualDays),
})

const rotation = z.strictObject({
  /** Left out: as long as before. */
  expiresInDays: lifeDays.optional(),
  /** How long the present secret is still taken. */
  graceHours: z.number().min(0).max(graceHours.most).default(graceHours.usual),
})

const page = z.strictObject({
  limit: limitField,
  cursor: z.string().regex(idShape, 'must be the nextCursor of an earlier answer').optional(),
})

export const tokenShape = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    role: z.enum(roles),
    labelSelector: z.string().optional(),
    state: z.enum(['active', 'expired', 'revoked']),
    createdAt: instant,
    createdBy: z.string(),
    expiresAt: instant,
    version: z.int(),
    previousUntil: instant.optional(),
    revokedAt: instant.optional(),
    lastUsedAt: instant.optional(),
  })
  .meta({ id: 'Token' })

export const issuedShape = z.strictObject({ token: tokenShape, secret: z.string() }).meta({ id: 'IssuedToken' })

export const whoamiShape = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    role: z.enum(roles),
    labelSelector: z.string().optional(),
  })
  .meta({ id: 'Whoami' })

export type IssuedView = z.infer<typeof issuedShape>
export type WhoamiView = z.infer<typeof whoamiShape>
export type TokenView = z.infer<typeof tokenShape>

const iso = (at: number) => new Date(at).toISOString()
const optional = <K extends string, V>(name: K, value: V | undefined) =>
  (value === undefined ? {} : { [name]: value }) as Partial<Readonly<Record<K, V>>>

function stateOf({ revokedAt, expiresAt }: ServiceToken, now: number): TokenView['state'] {
  if (revokedAt !== undefined) return 'revoked'
  return now < expiresAt ? 'active' : 'expired'
}

function tokenView(token: ServiceToken, now: number): TokenView {
  const { id, name, role, createdAt, createdBy, expiresAt, version } = token
  const until = token.previous?.until
  const time = (at: number | undefined) => (at === undefined ? undefined : iso(at))
  return {
    ...{ id, name, role, state: stateOf(token, now) },
    ...optional('labelSelector', token.selector),
    ...{ createdAt: iso(createdAt), createdBy, expiresAt: iso(expiresAt), version },
    ...optional('previousUntil', until !== undefined && now < until ? iso(until) : undefined),
    ...optional('revokedAt', time(token.revokedAt)),
    ...optional('lastUsedAt', time(token.lastUsedAt)),
  }
}

/** The one answer with the secret: nobody on the way may keep it. */
function answerIssued({ clock }: TokenRoutes, context: Context, { token, secret }: Issued, status: number): void {
  context.status = status
  context.set('Cache-Control', 'no-store')
  context.body = { token: tokenView(token, clock.now()), secret }
}

async function existing({ tokens }: TokenRoutes, id: string): Promise<ServiceToken> {
  const token = idShape.test(id) ? await tokens.get(id) : undefined
  if (token === undefined) throw new Problem(404, 'not-found', `There is no token with the id ${id}.`)
  return token
}

async function rotate(routes: TokenRoutes, id: string, wanted: z.infer<typeof rotation>): Promise<Issued> {
  return settled(async () => {
    const token = await existing(routes, id)
    const now = routes.clock.now()
    const state = stateOf(token, now)
    if (state !== 'active') throw new Problem(409, 'wrong-state', `The token ${id} is ${state}: make a new one.`)
    const sameLife = Math.min(token.expiresAt - token.createdAt, tokenLife.mostDays * day)
    const lifeMs = wanted.expiresInDays === undefined ? sameLife : wanted.expiresInDays * day
    return routes.tokens.rotate(token, { lifeMs, graceMs: wanted.graceHours * hour })
  }, 'token')
}

async function revoke(routes: TokenRoutes, id: string): Promise<void> {
  await settled(async () => {
    const token = await existing(routes, id)
    return token.revokedAt === undefined ? routes.tokens.revoke(token) : token
  }, 'token')
}

function writes(routes: TokenRoutes): readonly Operation[] {
  const at = { tag: 'tokens', roles: ['admin'] } as const
  return [
    operation({
      ...at,
      ...{ id: 'createToken', method: 'post', path: '/v1/tokens' },
      summary: 'Makes a service token. Its secret is in this answer and in no other.',
      secret: true,
      body: document(newToken),
      answers: { 201: json(issuedShape, { description: 'The token and its secret.', headers: ['Location'] }) },
      handle: async ({ context, body: { name, role, labelSelector, expiresInDays } }) => {
        const wanted = { name, role, selector: labelSelector, lifeMs: expiresInDays * day }
        const issued = await routes.tokens.create({ ...wanted, by: callerOf(context).id })
        context.set('Location', `/v1/tokens/${issued.token.id}`)
        answerIssued(routes, context, issued, 201)
      },
    }),
    operation({
      ...at,
      ...{ id: 'rotateToken', method: 'post', path: '/v1/tokens/{id}/actions/rotate' },
      summary: 'Gives a token a new secret; the present one is taken for a while still.',
      secret: true,
      body: optionalDocument(rotation),
      answers: { 200: json(issuedShape) },
      problems: [404, 409],
      handle: async ({ context, params: { id }, body }) =>
        answerIssued(routes, context, await rotate(routes, id, body), 200),
    }),
    operation({
      ...at,
      ...{ id: 'revokeToken', method: 'delete', path: '/v1/tokens/{id}' },
      summary: 'Revokes a token for good, within seconds everywhere.',
      answers: { 204: empty('It is revoked.') },
      problems: [404, 409],
      handle: async ({ context, params: { id } }) => {
        await revoke(routes, id)
        context.status = 204
      },
    }),
  ]
}

/** The operations under /v1/tokens, and /v1/whoami. */
export function tokenOperations(routes: TokenRoutes): readonly Operation[] {
  const { tokens, clock } = routes
  return [
    operation({
      ...{ id: 'listTokens', method: 'get', path: '/v1/tokens', tag: 'tokens', roles: ['admin'] },
      summary: 'The service tokens without their secrets, revoked and expired ones for 90 days more.',
      query: page,
      answers: { 200: json(pageOf(tokenShape)) },
      handle: async ({ context, query: { limit, cursor } }) => {
        const found = await tokens.page({ after: cursor, limit: limit + 1 })
        const items = found.slice(0, limit)
        const last = found.length > limit ? items.at(-1)?.id : undefined
        context.body = {
          items: items.map((token) => tokenView(token, clock.now())),
          ...optional('nextCursor', last),
        }
      },
    }),
    operation({
      ...{ id: 'getToken', method: 'get', path: '/v1/tokens/{id}', tag: 'tokens', roles: ['admin'] },
      summary: 'One of them.',
      answers: { 200: json(tokenShape) },
      problems: [404],
      handle: async ({ context, params: { id } }) => {
        context.body = tokenView(await existing(routes, id), clock.now())
      },
    }),
    ...writes(routes),
    operation({
      ...{ id: 'whoami', method: 'get', path: '/v1/whoami', tag: 'tokens', roles },
      summary: 'Who the token says that one is, and what it may do.',
      limited: true,
      answers: { 200: json(whoamiShape) },
      handle: ({ context }) => {
        const { id, name = id, role, selector: limit } = callerOf(context)
        context.body = { id, name, role, ...optional('labelSelector', limit) }
      },
    }),
  ]
}
