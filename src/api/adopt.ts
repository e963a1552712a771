// The operation that takes a living fleet back into a database that has lost its tenants.
import { z } from 'zod'
import type { AdoptionOptions, AdoptionReport } from '../../reconciler/adoption/adopt.ts'
import { optionalDocument } from './body.ts'
import { json, operation, type Operation } from './operation.ts'
import { Problem } from './problem.ts'
import { instant } from './view.ts'

export interface AdoptRoutes {
  /** Undefined where this process does not run the reconciler. */
  readonly adopt: ((options: AdoptionOptions) => Promise<AdoptionReport>) | undefined
}

const request = z.strictObject({ dryRun: z.boolean().default(false), asleep: z.boolean().default(false) })

const adopted = z.strictObject({
  ...{ name: z.string(), uid: z.string(), machine: z.string(), volume: z.string() },
  state: z.enum(['running', 'suspended', 'deleted']),
  drift: z.enum(['none', 'metadata', 'personal', 'restart']),
  fenced: z.array(z.string()),
})

export const adoptionShape = z
  .strictObject({
    at: instant,
    dryRun: z.boolean(),
    adopted: z.array(adopted),
    skipped: z.array(z.strictObject({ name: z.string(), uid: z.string(), reason: z.string() })),
    unclaimed: z.array(z.strictObject({ id: z.string(), kind: z.enum(['machine', 'volume']), reason: z.string() })),
  })
  .meta({ id: 'Adoption' })

export type AdoptionView = z.infer<typeof adoptionShape>

/** `POST /v1/fleet/actions/adopt`: changes nothing on Fly, and can be repeated. */
export function adoptOperations({ adopt }: AdoptRoutes): readonly Operation[] {
  return [
    operation({
      ...{ id: 'adoptFleet', method: 'post', path: '/v1/fleet/actions/adopt', tag: 'fleet', roles: ['admin'] },
      summary: 'Takes a living fleet back into an empty database; nothing on Fly changes.',
      body: optionalDocument(request),
      answers: { 200: json(adoptionShape) },
      problems: [404],
      handle: async ({ context, body }) => {
        if (adopt === undefined)
          throw new Problem(404, 'not-found', 'This process does not run the reconciler: ask one that does.')
        const { at, ...report } = await adopt(body)
        context.body = { at: new Date(at).toISOString(), ...report }
      },
    }),
  ]
}
