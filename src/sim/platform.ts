// Regions, room in them, and who the caller is. The platform's answers are in PascalCase, as measured on the wire.
import * as z from 'zod'
import { type Answer, type Call, bodyOf, ok } from './call.ts'
import { invalid } from './errors.ts'
import { isRegion, nearest, regions } from './regions.ts'
import type { World } from './world.ts'

const request = z.looseObject({
  org_slug: z.string().min(1),
  region: z.string().optional(),
  count: z.int().min(0).nullish(),
})
// How many machines a region takes when nobody says how many are wanted: the organisation's limit, made up here.
const limitPerRegion = 200
const concurrency = 10

/** GET platform/regions. */
export const listRegions = (): Answer =>
  ok({
    Regions: regions.map((region) => ({
      code: region.code,
      name: region.name,
      latitude: region.latitude,
      longitude: region.longitude,
      deprecated: false,
      gateway_available: true,
      requires_paid_plan: false,
      geo_region: region.geo,
    })),
    Nearest: nearest,
  })

/** POST platform/placements: the wanted regions that have room. A region without any is left out. */
export function findPlacements(world: World, call: Call): Answer {
  const body = bodyOf(call, request)
  const asked = (body.region ?? 'any').split(',').filter((code) => code !== '')
  const odd = asked.find((code) => code !== 'any' && !isRegion(code))
  if (odd !== undefined) throw invalid(`region: unknown region "${odd}"`)
  const named = asked.filter((code) => code !== 'any')
  const rest = asked.includes('any') ? regions.map(({ code }) => code).filter((code) => !named.includes(code)) : []
  const free = [...named, ...rest].filter((region) => world.faults.peek('capacity', { region }) === undefined)
  const count = body.count === undefined || body.count === null || body.count === 0 ? limitPerRegion : body.count
  return ok({ Regions: free.map((Region) => ({ Region, Count: count, Concurrency: concurrency })) })
}

/** GET tokens/current: one token that may do everything. */
export function currentTokens(world: World, call: Call): Answer {
  const org = world.store.all('app')[0]?.org ?? 'personal'
  return ok({
    tokens: [
      { token_id: call.caller, organization: org, org_slug: org, apps: world.store.all('app').map(({ id }) => id) },
    ],
  })
}
