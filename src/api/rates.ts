// How many requests a caller may make: reads and writes apart, counted in this process, told with every answer (IETF draft
// ratelimit-headers, whose syntax may still move: it is here alone).
import type { Context } from 'koa'
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { callerOf } from './caller.ts'
import type { Method } from './operation.ts'
import { Problem } from './problem.ts'

/** Requests a minute; undefined: as many as they like. */
export interface RateSettings {
  readonly readsPerMinute: number | undefined
  readonly writesPerMinute: number | undefined
}

export type TakeRate = (context: Context, method: Method) => Promise<void>

const windowSeconds = 60

type Take = (caller: string) => Promise<{ readonly ok: boolean; readonly left: number; readonly msToFull: number }>

function taking(points: number): Take {
  const limiter = new RateLimiterMemory({ points, duration: windowSeconds })
  return async (caller) => {
    try {
      const { remainingPoints, msBeforeNext } = await limiter.consume(caller)
      return { ok: true, left: remainingPoints, msToFull: msBeforeNext }
    } catch (error) {
      if (!(error instanceof RateLimiterRes)) throw error
      return { ok: false, left: 0, msToFull: error.msBeforeNext }
    }
  }
}

/** Counts the request, says how many are left, and throws 429 where none was. */
export function rateLimits({ readsPerMinute, writesPerMinute }: RateSettings): TakeRate {
  const policies = {
    read: readsPerMinute === undefined ? undefined : { points: readsPerMinute, take: taking(readsPerMinute) },
    write: writesPerMinute === undefined ? undefined : { points: writesPerMinute, take: taking(writesPerMinute) },
  }
  return async (context, method) => {
    const name = method === 'get' ? 'read' : 'write'
    const policy = policies[name]
    if (policy === undefined) return
    const { ok, left, msToFull } = await policy.take(callerOf(context).id)
    const seconds = Math.ceil(msToFull / 1_000)
    context.set('RateLimit-Policy', `"${name}";q=${policy.points};w=${windowSeconds}`)
    context.set('RateLimit', `"${name}";r=${left};t=${seconds}`)
    if (ok) return
    const headers = { 'Retry-After': String(seconds) }
    const detail = `More than ${policy.points} ${name}s in a minute: go on in ${seconds} s.`
    throw new Problem(429, 'too-many-requests', detail, { headers })
  }
}
