// What the soak has seen: every request and WebSocket with how it ended, and what must not have happened.
import type { IncomingHttpHeaders } from 'node:http'

/** `steady` is left alone; `sleeper` is put to sleep while in use; the rest is suspended, moved, made and deleted. */
export type Group = 'steady' | 'sleeper' | 'disturbed'

export interface Target {
  readonly name: string
  readonly uid: string
  readonly group: Group
}

export interface Answered {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** The body, where it is a page of the proxy's. */
  readonly text: string
}

/** The proxy's own refusals that a tenant may meet while it is suspended, moved, woken, made or deleted. */
const expected = new Set([
  ...['asleep', 'waking', 'crowded', 'provisioning', 'suspended', 'billing', 'deleting', 'unknown', 'failed'],
  ...['unreachable', 'timeout', 'resting', 'mismatch'],
])

const statuses: readonly number[] = [402, 404, 410, 502, 503, 504]

function codeOf(what: string, { status, headers, text }: Answered): string | undefined {
  if (headers['x-request-id'] === undefined || !statuses.includes(status)) return undefined
  if (what === 'HEAD') return text === '' ? 'without a body' : undefined
  try {
    const { code } = JSON.parse(text) as { code?: unknown }
    return typeof code === 'string' && expected.has(code) ? code : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

export class Ledger {
  readonly counts = new Map<string, number>()
  readonly violations: string[] = []
  /** Milliseconds from a request to its answer's head, of those that a steady tenant answered. */
  readonly times: number[] = []

  count(what: string, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by)
  }

  violated(what: string): void {
    this.count('violations')
    if (this.violations.length < 50) this.violations.push(`${new Date().toISOString()} ${what}`)
  }

  /** An answer's head, or a refused upgrade. @returns whether the tenant itself has answered */
  answered(what: string, { name, uid, group }: Target, answer: Answered): boolean {
    const guest = answer.headers['x-moorage-guest']
    if (guest !== undefined) {
      if (String(guest).split('/')[0] === uid) return true
      this.violated(`CROSSING: ${what} for ${name} (${uid}) was answered by ${String(guest)}`)
      return false
    }
    const code = codeOf(what, answer)
    if (code === undefined) this.violated(`${what} for ${name}: ${answer.status} ${answer.text.slice(0, 200)}`)
    else if (group === 'steady') this.violated(`${what} for the steady ${name} was refused: ${answer.status} ${code}`)
    else this.count(`${what} refused ${answer.status} ${code}`)
    return false
  }

  /** An answer that had begun and was cut, or a WebSocket that ended without a word. */
  cut(what: string, { name, group }: Target, why: string): void {
    if (group === 'steady') this.violated(`${what} of the steady ${name} was cut: ${why}`)
    else this.count(`${what} cut`)
  }

  lost(what: string, { name, group }: Target, why: string): void {
    this.violated(`${what} for ${name} (${group}) got no answer: ${why}`)
  }
}
