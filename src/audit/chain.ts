// The chain: each entry's hash covers the entry and the hash before it, so none can be changed, removed, added or moved
// without breaking it. Whoever holds the head can tell that the end is missing, too. Pure.
import { createHash } from 'node:crypto'
import { canonicalize } from 'json-canonicalize'
import type { AuditBody, AuditEntry, AuditHead } from './entry.ts'

export const firstPrevious = '0'.repeat(64)

/** The hash of an entry, whatever it holds: a field that should not be there counts as well. */
export function hashOf(entry: Readonly<Record<string, unknown>>): string {
  const covered = Object.fromEntries(Object.entries(entry).filter(([name]) => name !== 'hash'))
  return createHash('sha256').update(canonicalize(covered)).digest('hex')
}

/** A database keeps whole characters only: half ones are replaced before they are hashed. */
function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed()
  if (Array.isArray(value)) return value.map(wellFormed)
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  return Object.fromEntries(fields.map(([name, field]) => [name, wellFormed(field)]))
}

/** The bodies as the entries that follow `head`. */
export function chained(head: AuditHead | undefined, bodies: readonly AuditBody[]): AuditEntry[] {
  const entries: AuditEntry[] = []
  let { seq, hash: previous } = head ?? { seq: 0, hash: firstPrevious }
  for (const body of bodies) {
    seq += 1
    const unsealed = { ...(wellFormed(body) as AuditBody), seq, previous }
    const hash = hashOf({ ...unsealed })
    entries.push({ ...unsealed, hash })
    previous = hash
  }
  return entries
}

export type ChainFault =
  /** The entry's content is not what its hash was made of. */
  | { readonly kind: 'changed'; readonly seq: number }
  /** The entry does not name the hash of the one before. */
  | { readonly kind: 'unlinked'; readonly seq: number }
  /** Another number was expected here. */
  | { readonly kind: 'missing'; readonly seq: number; readonly found: number }
  /** The chain ends before the head, or has another entry in its place. */
  | { readonly kind: 'shortened'; readonly head: AuditHead; readonly last: number }
  | { readonly kind: 'replaced'; readonly head: AuditHead }

export interface ChainReport {
  readonly entries: number
  readonly head: AuditHead | undefined
  /** The first one; undefined: the chain holds. */
  readonly fault: ChainFault | undefined
  /** Entries that announce something of which no outcome is known. */
  readonly open: readonly number[]
}

type Linked = Readonly<Record<string, unknown>> & Pick<AuditEntry, 'seq' | 'previous' | 'hash'>

function faultOf(entry: Linked, before: AuditHead | undefined): ChainFault | undefined {
  const seq = (before?.seq ?? 0) + 1
  if (entry.seq !== seq) return { kind: 'missing', seq, found: entry.seq }
  if (entry.hash !== hashOf(entry)) return { kind: 'changed', seq }
  return entry.previous === (before?.hash ?? firstPrevious) ? undefined : { kind: 'unlinked', seq }
}

/** Goes along a chain from its first entry on; `heads` are heads that were seen before. */
export class ChainCheck {
  readonly #heads: Map<number, AuditHead>
  readonly #open = new Set<number>()
  #head: AuditHead | undefined
  #fault: ChainFault | undefined

  constructor(heads: readonly AuditHead[] = []) {
    this.#heads = new Map(heads.map((head) => [head.seq, head]))
  }

  /** Takes the next entry; false once a fault was found. */
  take(entry: Linked): boolean {
    this.#fault ??= faultOf(entry, this.#head) ?? this.#seen(entry)
    if (this.#fault !== undefined) return false
    this.#head = { seq: entry.seq, hash: entry.hash }
    if (entry['outcome'] === 'intended') this.#open.add(entry.seq)
    else if (typeof entry['intent'] === 'number') this.#open.delete(entry['intent'])
    return true
  }

  report(): ChainReport {
    const last = this.#head?.seq ?? 0
    const beyond = [...this.#heads.values()].find(({ seq }) => seq > last)
    const shortened = beyond && ({ kind: 'shortened', head: beyond, last } as const)
    return { entries: last, head: this.#head, fault: this.#fault ?? shortened, open: [...this.#open] }
  }

  #seen({ seq, hash }: Linked): ChainFault | undefined {
    const head = this.#heads.get(seq)
    return head === undefined || head.hash === hash ? undefined : { kind: 'replaced', head }
  }
}

/** What a fault means, for people. */
export function faultSentence(fault: ChainFault): string {
  switch (fault.kind) {
    case 'changed':
      return `Entry ${fault.seq} was changed: its content does not give its hash.`
    case 'unlinked':
      return `Entry ${fault.seq} does not follow the one before it: an entry was changed, removed or put in.`
    case 'missing':
      return `Entry ${fault.seq} is not there: number ${fault.found} is in its place.`
    case 'shortened':
      return `The end is missing: the audit had reached entry ${fault.head.seq}, and ends at ${fault.last}.`
    case 'replaced':
      return `Entry ${fault.head.seq} is another one than the head that was kept.`
  }
}
