// Gateways as their machines are put to sleep: one that knows no such call, and one that does as OpenClaw does.
import type { SleepAnswer, Sleeper } from '../../reconciler/ports.ts'
import type { Clock } from '../../specs/clock.ts'

/** Put to sleep as it is. */
export const wordlessSleeper: Sleeper = {
  prepare: () => Promise.resolve({ kind: 'unsupported' }),
  end: () => Promise.resolve('open'),
}

/** What a gateway does just now, and what its user made of it. */
export interface SleepMood {
  /** What still runs. */
  readonly busy: string | undefined
  readonly silent: boolean
  /** When the user's own next job is due. */
  readonly jobAt: number | undefined
  readonly channels: readonly string[]
}

export const restful: SleepMood = { busy: undefined, silent: false, jobAt: undefined, channels: [] }

export interface ModelSleeper extends Sleeper {
  mood: SleepMood
  /** The kind of sleep that it is ready for, or makes ready for. */
  readonly held: () => string | undefined
}

/** How long OpenClaw stays ready. */
const leaseMs = 120_000

export function modelSleeper(clock: Pick<Clock, 'now'>, trip: (call: string) => void = () => {}): ModelSleeper {
  let held: { readonly request: string; readonly until: number } | undefined
  const current = () => (held !== undefined && clock.now() < held.until ? held : undefined)
  return {
    mood: restful,
    held: () => current()?.request,
    async prepare(_uid, { drain, channels }): Promise<SleepAnswer> {
      trip('prepareSleep')
      const { busy, silent, jobAt, channels: live } = this.mood
      if (silent) return { kind: 'silent', why: 'refused' }
      if (channels && live.length > 0) return { kind: 'channels', names: live }
      const request = drain ? 'rest' : 'idle'
      if (current()?.request !== request) held = undefined
      const until = clock.now() + leaseMs
      if (busy === undefined || drain) held = { request, until }
      const suspension = held === undefined ? undefined : `suspension of ${request}`
      if (busy !== undefined) return { kind: 'busy', why: busy, retryAfterMs: 5_000, suspension }
      return { kind: 'ready', suspension: suspension ?? '', until, wakeAt: drain ? undefined : jobAt }
    },
    async end() {
      trip('endSleep')
      if (this.mood.silent) return 'silent'
      held = undefined
      return 'open'
    },
  }
}
