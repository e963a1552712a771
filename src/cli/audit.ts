// The audit for people, and its check: the whole chain is read and computed anew on this side.
import { ChainCheck, faultSentence, type ChainReport } from '../audit/chain.ts'
import type { AuditHead } from '../audit/entry.ts'
import type { AuditPageView } from '../api/audit.ts'
import { type Column, table } from '../table.ts'
import { type Api, RequestError } from './client.ts'
import { type Format, shown } from './output.ts'

export interface AuditOptions {
  readonly object?: string
  readonly caller?: string
  readonly limit: number
}

type Entry = AuditPageView['items'][number]

/** The names of the fields that were changed; of several objects how many. */
function changesOf({ changes }: Entry): string {
  const [first, ...more] = changes
  if (first === undefined) return '-'
  return more.length === 0 ? first.fields.map(({ path }) => path).join(',') || '-' : `${more.length + 1} objects`
}

const columns: readonly Column<Entry>[] = [
  ['SEQ', ({ seq }) => String(seq)],
  ['AT', ({ at }) => at.slice(0, 19)],
  ['WHO', ({ caller }) => caller.name],
  ['FROM', ({ caller }) => caller.address],
  ['WHAT', ({ request }) => request.operation],
  ['OBJECT', ({ object }) => object],
  ['OUTCOME', ({ code, outcome }) => code ?? outcome],
  ['CHANGED', changesOf],
  ['REASON', ({ reason }) => reason ?? ''],
]

/** The newest entries; those that only announce a change whose outcome is listed too are left out of the table. */
export async function audit(api: Api, { object, caller, limit }: AuditOptions, format: Format): Promise<string> {
  const { items } = (await api.get('/v1/audit', { query: { limit: String(limit), object, caller } })).body
  const settled = new Set(items.map(({ intent }) => intent))
  const rows = items.filter(({ seq, outcome }) => outcome !== 'intended' || !settled.has(seq))
  return shown(format, { items }, () => (rows.length === 0 ? 'There is nothing in the audit.' : table(rows, columns)))
}

/** Reads `SEQ:HASH`, as an earlier check printed it. */
export function readHead(text: string): AuditHead {
  const [, seq, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? []
  if (seq === undefined || hash === undefined)
    throw new RequestError('A head is such as 12:0a1b…, as an earlier "moor audit verify" printed it.')
  return { seq: Number(seq), hash }
}

async function checkAll(api: Api, known: readonly AuditHead[]): Promise<ChainReport> {
  const read = async (cursor?: string) =>
    (await api.get('/v1/audit', { query: { order: 'oldest', limit: '500', cursor } })).body
  let found = await read()
  const check = new ChainCheck(found.head === null ? known : [found.head, ...known])
  while (found.items.every((item) => check.take(item)) && found.nextCursor !== undefined)
    found = await read(found.nextCursor)
  return check.report()
}

/** Says that the chain holds and where it ends. Throws with the first fault. */
export async function verifyAudit(api: Api, known: readonly AuditHead[]): Promise<string> {
  const { entries, head: last, fault, open } = await checkAll(api, known)
  if (fault !== undefined) throw new RequestError(`The audit is broken. ${faultSentence(fault)}`)
  const numbers = open.length === 0 ? [] : [`Announced, without an outcome: ${open.join(', ')}.`]
  if (last === undefined) return 'There is nothing in the audit.'
  const words = [`${entries} entries, and the chain holds.`, ...numbers, `Head ${last.seq}:${last.hash}`]
  return [...words, 'Keep the head elsewhere: with --head it shows that nothing was taken from the end.'].join('\n')
}
