// One call from its turn to its value or its Fault, and a line about it for the log. Nothing is tried twice here.
import { z } from 'zod'
import type { Clock } from '../../specs/clock.ts'
import { Fault, type FaultKind } from '../../specs/faults.ts'
import { noSpans, type Spans } from '../../reconciler/spans.ts'
import { pathOf, type FlyCall, type Send } from './call.ts'
import { faultOf, unreadableFault, type Judged, type Reply } from './errors.ts'
import { exchanger } from './exchange.ts'
import { Limiter, type LimitSettings } from './limits.ts'
import { authorizationOf, scrubber } from './token.ts'

/** One line for the log: nothing of a body, nothing of a header but Fly's request id. */
export interface CallRecord {
  readonly call: string
  readonly method: string
  readonly path: string
  readonly status?: number | undefined
  /** How the call failed; undefined when it did not, or when the caller gave it up. */
  readonly fault?: FaultKind | undefined
  readonly requestId?: string | undefined
  /** Time spent waiting for the rate limit, and then with Fly. */
  readonly waitedMs: number
  readonly tookMs: number
}

export interface FlyClientOptions {
  /** Without `/v1`, such as https://api.machines.dev: what flyctl calls FLY_FLAPS_BASE_URL. */
  readonly baseUrl: string
  /** A user or deploy token, with or without its scheme. */
  readonly token: string
  readonly clock: Clock
  /** For an answer, from the moment the request is sent; 30 s unless set, and twice that for a create. */
  readonly timeoutMs?: number | undefined
  /** `off` for a simulator that runs without latencies. */
  readonly limits?: LimitSettings | 'off' | undefined
  readonly log?: ((record: CallRecord) => void) | undefined
  readonly spans?: Pick<Spans, 'span'> | undefined
}

/** How far a call got. */
interface Course {
  readonly path: string
  readonly began: number
  sent: number | undefined
  reply: Reply | undefined
  fault: Fault | undefined
}

function jsonOf(reply: Reply, judged: Judged): unknown {
  try {
    return JSON.parse(reply.body)
  } catch {
    throw unreadableFault(reply, judged, reply.body === '' ? 'it is empty' : 'it is not JSON')
  }
}

/** The value of an answer, or the Fault that says why it has none. */
function valueOf<Schema extends z.ZodType>(call: FlyCall<Schema>, reply: Reply, judged: Judged): z.infer<Schema> {
  if (reply.status < 200 || reply.status > 299) throw faultOf(reply, judged)
  // `undefined` is what z.void() infers; the compiler cannot see that Schema is ZodVoid here.
  if (call.answer instanceof z.ZodVoid) return undefined as z.infer<Schema>
  const result = call.answer.safeParse(jsonOf(reply, judged))
  if (!result.success) {
    const [issue] = result.error.issues
    throw unreadableFault(reply, judged, `${issue?.path.join('.') || 'the body'}: ${issue?.message ?? 'unknown shape'}`)
  }
  const failure = call.failed?.(result.data)
  if (failure === undefined) return result.data
  throw faultOf({ ...reply, body: JSON.stringify({ error: failure }), judgedAs: 412 }, judged)
}

function recordOf({ call, method }: FlyCall<z.ZodType>, course: Course, now: number): CallRecord {
  const { path } = course
  const sent = course.sent ?? now
  const requestId = course.reply?.header('fly-request-id')
  const times = { waitedMs: sent - course.began, tookMs: now - sent }
  return { call, method, path, status: course.reply?.status, fault: course.fault?.kind, requestId, ...times }
}

/** Performs Fly's calls with one token against one base URL. Throws a TypeError when either cannot be used. */
export function flyTransport(options: FlyClientOptions): Send {
  const { baseUrl, token, clock, limits, log, timeoutMs = 30_000 } = options
  const exchange = exchanger({ baseUrl, authorization: authorizationOf(token), clock, timeoutMs })
  const scrub = scrubber(token)
  const limiter = limits === 'off' ? undefined : new Limiter(clock, limits)
  const spans = options.spans ?? noSpans
  const send: Send = async (call, callOptions = {}) => {
    const judged: Judged = { call: call.call, scrub, now: () => clock.now() }
    const course: Course = {
      path: pathOf(call.path),
      began: clock.now(),
      sent: undefined,
      reply: undefined,
      fault: undefined,
    }
    try {
      await limiter?.take(call.call, call.identifier, callOptions)
      course.sent = clock.now()
      course.reply = await exchange(call, judged, callOptions.signal)
      return valueOf(call, course.reply, judged)
    } catch (error) {
      if (error instanceof Fault) course.fault = error
      if (course.reply?.status === 429)
        limiter?.penalise(call.call, call.identifier, course.fault?.details.retryAfterMs)
      throw error
    } finally {
      log?.(recordOf(call, course, clock.now()))
    }
  }
  return (call, callOptions) => {
    const values = { 'http.request.method': call.method, 'moorage.fly.action': call.call }
    return spans.span(`fly ${call.call}`, values, () => send(call, callOptions))
  }
}
