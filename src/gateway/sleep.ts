// Before a machine sleeps and after it woke: the gateway finishes what runs, takes nothing new, and says when its user's own
// next job is due.
import { z } from 'zod'
import { callGateway, GatewayRefusal, type GatewayCall } from './rpc.ts'

const prepared = z.looseObject({
  status: z.string(),
  suspensionId: z.string().optional(),
  expiresAtMs: z.number().optional(),
  retryAfterMs: z.number().optional(),
  blockers: z.array(z.unknown()).default([]),
})

const job = z.looseObject({
  enabled: z.boolean().optional(),
  /** Jobs that OpenClaw itself declares have one; a user's own have none. */
  declarationKey: z.string().optional(),
  nextRunAtMs: z.number().optional(),
  state: z.looseObject({ nextRunAtMs: z.number().optional() }).optional(),
})
const jobs = z.looseObject({ jobs: z.array(job).default([]) })

export type SleepAnswer =
  /** Nothing new is taken until `untilMs`; then it opens again by itself. `wakeAtMs`: the user's own next job. */
  | {
      readonly kind: 'ready'
      readonly suspension: string
      readonly untilMs: number
      readonly wakeAtMs: number | undefined
    }
  /** Something runs. */
  | { readonly kind: 'busy'; readonly why: string; readonly retryAfterMs: number }
  /** This gateway knows no such call: it is put to sleep as it is. */
  | { readonly kind: 'unsupported' }

const usualRetryMs = 5_000

/** The earliest run of a job that the user made; undefined: there is none. Epoch milliseconds. */
export async function nextUserJob(call: GatewayCall): Promise<number | undefined> {
  const found = jobs.parse(await callGateway(call, 'cron.list'))
  const times = found.jobs
    .filter((each) => each.enabled !== false && each.declarationKey === undefined)
    .flatMap((each) => each.nextRunAtMs ?? each.state?.nextRunAtMs ?? [])
  return times.length === 0 ? undefined : Math.min(...times)
}

const names = (blockers: readonly unknown[]) =>
  blockers
    .map((each) => (typeof each === 'string' ? each : JSON.stringify(each)))
    .join(', ')
    .slice(0, 200)

/**
 * Asks the gateway to make ready for sleep. The jobs are read first, because a gateway that is ready answers nothing else.
 *
 * @param request The same for each try of one sleep: a repeated call is the same suspension.
 * @throws {DialError} when the machine cannot be reached or is another one
 * @throws {Error} when it does not answer in time
 */
export async function prepareSleep(call: GatewayCall, request: string): Promise<SleepAnswer> {
  try {
    const wakeAtMs = await nextUserJob(call)
    const answer = prepared.parse(await callGateway(call, 'gateway.suspend.prepare', { requestId: request }))
    const { status, suspensionId, expiresAtMs = 0, retryAfterMs = usualRetryMs, blockers } = answer
    return status === 'ready' && suspensionId !== undefined
      ? { kind: 'ready', suspension: suspensionId, untilMs: expiresAtMs, wakeAtMs }
      : { kind: 'busy', why: names(blockers) || status, retryAfterMs }
  } catch (error) {
    if (!(error instanceof GatewayRefusal)) throw error
    if (error.code === 'UNAVAILABLE') return { kind: 'busy', why: error.message, retryAfterMs: usualRetryMs }
    return { kind: 'unsupported' }
  }
}

/** Lets the gateway take work again. It does so by itself two minutes after it was made ready, so a failure costs time only. */
export async function endSleep(call: GatewayCall, suspension: string): Promise<void> {
  await callGateway(call, 'gateway.suspend.resume', { suspensionId: suspension })
}
