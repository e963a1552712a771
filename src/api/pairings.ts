// The operations of pairings: which browsers and apps ask to be let into a tenant's gateway, and a person's word on each.
import { z } from 'zod'
import type { Tenant } from '../../specs/tenant.ts'
import { GatewayUnavailable, type PairedDevice, type Pairings, type PendingPairing } from '../gateway/pairings.ts'
import type { Tenants } from '../store/tenants.ts'
import { empty, json, operation, type Operation } from './operation.ts'
import { Problem } from './problem.ts'
import { notFound } from './rules.ts'
import { instant } from './view.ts'

export interface PairingRoutes {
  readonly tenants: Tenants
  /** Undefined where nobody reaches the machines from here. */
  readonly pairings?: Pairings | undefined
}

const deviceShape = {
  device: z.string(),
  displayName: z.string().optional(),
  client: z.string().optional(),
  platform: z.string().optional(),
  address: z.string().optional().meta({ description: 'The client’s address, as the proxy told it to the gateway.' }),
  role: z.string().optional(),
  scopes: z.array(z.string()).optional(),
}

const pairingsShape = z
  .strictObject({
    pending: z.array(z.strictObject({ id: z.string(), ...deviceShape, requestedAt: instant.optional() })),
    paired: z.array(z.strictObject({ ...deviceShape, approvedAt: instant.optional() })),
  })
  .meta({ id: 'Pairings' })

export type PairingsView = z.infer<typeof pairingsShape>

const iso = (at: number | undefined) => (at === undefined ? undefined : new Date(at).toISOString())

function deviceView({
  deviceId,
  displayName,
  clientId,
  platform,
  remoteIp,
  role,
  scopes,
}: PendingPairing | PairedDevice) {
  return { device: deviceId, displayName, client: clientId, platform, address: remoteIp, role, scopes }
}

async function reached<T>(
  { tenants, pairings }: PairingRoutes,
  name: string,
  ask: (p: Pairings, t: Tenant) => Promise<T>,
) {
  const tenant = await tenants.byName(name)
  if (tenant === undefined) throw notFound(name)
  if (pairings === undefined) throw new Problem(404, 'not-found', 'This process does not reach the machines.')
  try {
    return await ask(pairings, tenant)
  } catch (error) {
    if (!(error instanceof GatewayUnavailable)) throw error
    throw new Problem(503, 'unavailable', error.message, { headers: { 'Retry-After': '5' }, cause: error })
  }
}

function decision(routes: PairingRoutes, word: 'approve' | 'reject', summary: string): Operation {
  return operation({
    ...{ id: `${word}Pairing`, method: 'post', tag: 'tenants', roles: ['admin'], summary },
    path: `/v1/tenants/{name}/pairings/{id}/actions/${word}` as `${string}{name}${string}{id}`,
    answers: { 204: empty('It is done.') },
    problems: [404],
    handle: async ({ context, params: { name, id } }) => {
      if (!(await reached(routes, name, (pairings, tenant) => pairings.decide(tenant, id, word))))
        throw new Problem(404, 'not-found', `${name} has no pending pairing ${id}.`)
      context.status = 204
    },
  })
}

/** The operations under /v1/tenants/{name}/pairings. */
export function pairingOperations(routes: PairingRoutes): readonly Operation[] {
  return [
    operation({
      ...{ id: 'listPairings', method: 'get', path: '/v1/tenants/{name}/pairings', tag: 'tenants' },
      roles: ['admin', 'viewer'],
      summary: 'The browsers and apps that ask to be let into the tenant’s gateway, and those that were.',
      answers: { 200: json(pairingsShape) },
      problems: [404],
      handle: async ({ context, params: { name } }) => {
        const { pending, paired } = await reached(routes, name, (pairings, tenant) => pairings.list(tenant))
        context.body = {
          pending: pending.map((each) => ({ id: each.requestId, ...deviceView(each), requestedAt: iso(each.ts) })),
          paired: paired.map((each) => ({ ...deviceView(each), approvedAt: iso(each.approvedAtMs) })),
        }
      },
    }),
    decision(routes, 'approve', 'Lets a browser or app in.'),
    decision(routes, 'reject', 'Turns a browser or app away.'),
  ]
}
