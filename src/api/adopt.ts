// The route that takes a living fleet back into a database that has lost its tenants.
import Router from '@koa/router'
import type { Context } from 'koa'
import { z } from 'zod'
import type { AdoptionOptions, AdoptionReport } from '../../reconciler/adoption/adopt.ts'
import { readDocument } from './body.ts'
import { Problem } from './problem.ts'

export interface AdoptRoutes {
  /** Undefined where this process does not run the reconciler. */
  readonly adopt: ((options: AdoptionOptions) => Promise<AdoptionReport>) | undefined
}

const request = z.strictObject({ dryRun: z.boolean().default(false), asleep: z.boolean().default(false) })

/** Nothing sent means nothing set. */
function isEmpty({ headers }: Context): boolean {
  return (headers['content-length'] ?? '0') === '0' && headers['transfer-encoding'] === undefined
}

/** `POST /v1/fleet/actions/adopt`: changes nothing on Fly, and can be repeated. */
export function adoptRouter({ adopt }: AdoptRoutes): Router {
  const router = new Router({ sensitive: true })
  router.post('/v1/fleet/actions/adopt', async (context) => {
    const options = isEmpty(context) ? request.parse({}) : await readDocument(context, request)
    if (adopt === undefined)
      throw new Problem(404, 'not-found', 'This process does not run the reconciler: ask one that does.')
    const { at, ...report } = await adopt(options)
    context.body = { at: new Date(at).toISOString(), ...report }
  })
  return router
}
