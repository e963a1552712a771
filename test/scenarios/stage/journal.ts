// What the controller did, as the lines that a scenario expects: a step that went through by its name, one that failed with
// its reason, and the word for standing still.
import type { Guards, Journal, JournalEntry } from '../../../reconciler/ports.ts'

export interface TraceLine {
  readonly tenant: string
  readonly text: string
}

export interface Recorder extends Journal {
  readonly lines: readonly TraceLine[]
  /** Steps begun, as `tenant step`. */
  readonly begun: readonly string[]
  readonly defects: readonly unknown[]
  /** How often Fly was asked about each tenant, answered or not, by uid. */
  readonly looks: ReadonlyMap<string, number>
  /** How many looks and steps have ended, of anybody. */
  readonly ended: number
  /** Guards that tell the recorder of each look, which the journal has no entry for. */
  over(guards: Guards): Guards
}

function lineOf({ kind, what, reason = '' }: JournalEntry): string | undefined {
  switch (kind) {
    case 'done':
      return what
    case 'failed':
      return `${what} ✗ ${reason}`
    case 'stalled':
      return `stalled ${what}`
    case 'step':
    case 'wait':
    case 'settled':
      return undefined
  }
}

export function recorder(): Recorder {
  const lines: TraceLine[] = []
  const begun: string[] = []
  const defects: unknown[] = []
  const looks = new Map<string, number>()
  let ended = 0
  return {
    lines,
    begun,
    defects,
    looks,
    get ended() {
      return ended
    },
    note: (entry) => {
      if (entry.kind === 'step') begun.push(`${entry.tenant} ${entry.what}`)
      const text = lineOf(entry)
      if (text !== undefined) lines.push({ tenant: entry.tenant, text })
    },
    defect: (_uid, error) => void defects.push(error),
    over: (guards) => ({
      view: () => guards.view(),
      blockedRead: (tenant) => guards.blockedRead(tenant),
      admit: (tenant, step) => guards.admit(tenant, step),
      waits: (tenant, decision) => guards.waits(tenant, decision),
      charge: (tenant, step) => guards.charge(tenant, step),
      release: (tenant) => guards.release(tenant),
      ended: (tenant, step, fault) => {
        ended += 1
        if (step === undefined) looks.set(tenant.uid, (looks.get(tenant.uid) ?? 0) + 1)
        guards.ended(tenant, step, fault)
      },
    }),
  }
}

/** How often a failure came hangs on the draws of the backoff: from ten on it is many, and the calls are counted anyway. */
function timesOf(text: string, times: number): string {
  if (times === 1) return ''
  return text.includes('✗') && times >= 10 ? ' ×many' : ` ×${times}`
}

/** Up to so many tenants are told apart. */
const mostNamed = 3

/**
 * The lines from `since` on; the same one again and again is one line with a count. Several tenants are told apart; of many
 * only is told how often each line came.
 */
export function traceOf(all: readonly TraceLine[], since: number, tenants: number): string[] {
  const told: { text: string; times: number }[] = []
  for (const { tenant, text } of all.slice(since)) {
    const line = tenants > 1 && tenants <= mostNamed ? `${tenant} ${text}` : text
    const last = tenants > mostNamed ? told.find((known) => known.text === line) : told.at(-1)
    if (last?.text === line) last.times += 1
    else told.push({ text: line, times: 1 })
  }
  return told.map(({ text, times }) => `${text}${timesOf(text, times)}`)
}
