// What the LLM proxy asks for besides the keys: whose tokens it has to refuse although they are valid.
import { z } from 'zod'
import type { Instant } from '../../specs/clock.ts'
import { keyPeriodMs } from '../llm-keys.ts'
import { json, operation, type Operation } from './operation.ts'
import { Problem } from './problem.ts'
import type { ApiOptions } from './server.ts'

const revocations = z.strictObject({
  kind: z.literal('LlmRevocations'),
  /** Subjects of tokens. */
  subjects: z.array(z.string()),
  observedAt: z.iso.datetime(),
})

export interface LlmRoutes {
  /** Undefined where nobody needs it. */
  readonly revoked?: (since: Instant) => Promise<readonly string[]>
}

/** The operations of the LLM proxy. */
export function llmOperations({ revoked, clock }: Pick<ApiOptions, 'revoked' | 'clock'>): readonly Operation[] {
  return [
    operation({
      ...{ id: 'listLlmRevocations', method: 'get', path: '/v1/llm/revocations', tag: 'platform' },
      summary: 'The subjects whose LLM tokens count no more: suspended and deleted tenants. Poll it every minute.',
      roles: ['admin', 'viewer'],
      answers: { 200: json(revocations) },
      problems: [404],
      handle: async ({ context }) => {
        if (revoked === undefined) throw new Problem(404, 'not-found', 'This process has no tenants.')
        const now = clock.now()
        const subjects = await revoked(now - keyPeriodMs)
        context.body = { kind: 'LlmRevocations', subjects, observedAt: new Date(now).toISOString() }
      },
    }),
  ]
}
