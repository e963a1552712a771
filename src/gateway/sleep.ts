// Before a machine sleeps and after it woke: the gateway finishes what runs, takes nothing new, and says when its user's own
// next job is due. The words are OpenClaw's (its docs: gateway/external-apps).
import { z } from 'zod'
import type { SleepAnswer, Sleeper } from '../../reconciler/ports.ts'
import type { Clock } from '../../specs/clock.ts'
import { callGateway, GatewayRefusal, type GatewayCall } from './rpc.ts'

const prepared = z.looseObject({
  status: z.string(),
  reason: z.string().optional(),
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

const account = z.looseObject({
  enabled: z.boolean().optional(),
  configured: z.boolean().optional(),
  running: z.boolean().optional(),
})
const channels = z.looseObject({ channelAccounts: z.record(z.string(), z.array(account)).default({}) })

export interface SleepQuestion {
  /** Takes nothing new while what runs is finished; else a gateway that is busy goes on as it was. */
  readonly drain: boolean
  /** Whether a live channel is an answer. */
  readonly channels: boolean
}

const usualRetryMs = 5_000
/** OpenClaw asks for 20 s, and an owner's word waits a minute at most. */
const mostRetryMs = 5_000
const soonMs = 1_000

/** The earliest run of a job that the user made; undefined: there is none. Epoch milliseconds. */
export async function nextUserJob(call: GatewayCall): Promise<number | undefined> {
  const found = jobs.parse(await callGateway(call, 'cron.list'))
  const times = found.jobs
    .filter((each) => each.enabled !== false && each.declarationKey === undefined)
    .flatMap((each) => each.nextRunAtMs ?? each.state?.nextRunAtMs ?? [])
  return times.length === 0 ? undefined : Math.min(...times)
}

/** The channels that receive something as long as the gateway runs. */
export async function liveChannels(call: GatewayCall): Promise<readonly string[]> {
  const { channelAccounts } = channels.parse(await callGateway(call, 'channels.status'))
  const isLive = ({ enabled, configured, running }: z.infer<typeof account>) =>
    running === true || (enabled !== false && configured === true)
  return Object.entries(channelAccounts)
    .filter(([, accounts]) => accounts.some(isLive))
    .map(([name]) => name)
}

const names = (blockers: readonly unknown[]) =>
  blockers
    .map((each) => {
      if (typeof each === 'string') return each
      const { message, kind } = (each ?? {}) as { message?: unknown; kind?: unknown }
      return typeof message === 'string' ? message : typeof kind === 'string' ? kind : JSON.stringify(each)
    })
    .join(', ')
    .slice(0, 200)

/** The request is the same for each try, also of another process: the gateway renews what it is ready for. */
async function prepare(call: GatewayCall, drain: boolean) {
  const params = { requestId: `moorage-${drain ? 'rest' : 'idle'}`, ...(drain ? { drain } : {}) }
  return prepared.parse(await callGateway(call, 'gateway.suspend.prepare', params))
}

/** Ready for a sleep of the other kind, it refuses this one: that is taken back by its name, which asking again tells. */
async function prepareAnyway(call: GatewayCall, drain: boolean) {
  const first = await prepare(call, drain)
  if (first.status !== 'conflict') return first
  const { suspensionId } = await prepare(call, !drain)
  if (suspensionId === undefined) return first
  await endSleep(call, suspensionId)
  return prepare(call, drain)
}

async function ask(call: GatewayCall, { drain }: SleepQuestion, wakeAt: number | undefined) {
  const answer = await prepareAnyway(call, drain)
  const { status, reason, suspensionId: suspension, expiresAtMs: until = 0, blockers } = answer
  if (status === 'ready' && suspension !== undefined) return { kind: 'ready', suspension, until, wakeAt } as const
  const retryAfterMs = Math.min(answer.retryAfterMs ?? usualRetryMs, drain ? mostRetryMs : Infinity)
  return { kind: 'busy', why: names(blockers) || (reason ?? status), retryAfterMs, suspension } as const
}

/** What only a gateway that is not ready for sleep answers. Undefined: it is, from an earlier try whose answer was lost. */
async function interview(call: GatewayCall, question: SleepQuestion) {
  try {
    return { live: question.channels ? await liveChannels(call) : [], wakeAt: await nextUserJob(call) }
  } catch (error) {
    if (error instanceof GatewayRefusal && error.code === 'UNAVAILABLE') return undefined
    throw error
  }
}

/** For the idle policy: what the user still wants of the machine is asked first. */
async function whenIdle(call: GatewayCall, question: SleepQuestion): Promise<SleepAnswer> {
  const found = await interview(call, question)
  if (found !== undefined && found.live.length > 0) return { kind: 'channels', names: found.live }
  const answer = await ask(call, question, found?.wakeAt)
  if (found !== undefined || answer.kind === 'busy') return answer
  await endSleep(call, answer.suspension)
  return { kind: 'busy', why: 'its jobs are read first', retryAfterMs: soonMs }
}

/**
 * Asks the gateway to make ready for sleep.
 *
 * @throws {DialError} when the machine cannot be reached or is another one
 * @throws {Error} when it does not answer in time
 */
export async function prepareSleep(call: GatewayCall, question: SleepQuestion): Promise<SleepAnswer> {
  try {
    return question.drain ? await ask(call, question, undefined) : await whenIdle(call, question)
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

export interface SleeperOptions {
  readonly keys: { bridgeKey(uid: string, incarnation: number): Uint8Array; gatewayToken(uid: string): string }
  readonly clock: Clock
  /** The bridge's port on a machine's private address. */
  readonly port: number
  readonly timeoutMs: number
}

/** The gateways' own part in a sleep, asked over the bridge. */
export function sleeperOf({ keys, clock, port, timeoutMs }: SleeperOptions): Sleeper {
  const callTo = (uid: string, { address, incarnation }: { address: string; incarnation: number }): GatewayCall => ({
    target: { address, port, uid, incarnation },
    bridgeKey: keys.bridgeKey(uid, incarnation),
    token: keys.gatewayToken(uid),
    clock,
    timeoutMs,
  })
  return {
    async prepare(uid, step) {
      try {
        return await prepareSleep(callTo(uid, step), step)
      } catch (error) {
        return { kind: 'silent', why: error instanceof Error ? error.message : String(error) }
      }
    },
    async end(uid, step) {
      try {
        await endSleep(callTo(uid, step), step.suspension)
        return 'open'
      } catch (error) {
        // Whoever knows nothing of this sleep is open.
        return error instanceof GatewayRefusal && error.code !== 'UNAVAILABLE' ? 'open' : 'silent'
      }
    },
  }
}
