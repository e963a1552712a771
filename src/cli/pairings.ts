// Who asks to be let into a tenant's gateway, and a person's word on it.
import type { PairingsView } from '../api/pairings.ts'
import { type Column, table } from '../table.ts'
import type { Api } from './client.ts'
import { type Format, shown } from './output.ts'

type Pairing = Partial<PairingsView['pending'][number]> & PairingsView['paired'][number]

const columns: readonly Column<Pairing>[] = [
  ['ID', ({ id }) => id ?? 'paired'],
  ['DEVICE', ({ device }) => device.slice(0, 12)],
  ['CLIENT', ({ displayName, client }) => displayName ?? client ?? '-'],
  ['ADDRESS', ({ address }) => address ?? '-'],
  ['SINCE', ({ requestedAt, approvedAt }) => requestedAt ?? approvedAt ?? '-'],
]

/** What waits for an answer first, then what was let in. */
export async function pairings(api: Api, name: string, format: Format): Promise<string> {
  const { body } = await api.get('/v1/tenants/{name}/pairings', { params: { name } })
  const all: readonly Pairing[] = [...body.pending, ...body.paired]
  return shown(format, body, () => (all.length === 0 ? 'Nobody has asked to be let in.' : table(all, columns)))
}

export async function decidePairing(api: Api, name: string, word: 'approve' | 'reject', id: string): Promise<string> {
  await api.post('/v1/tenants/{name}/pairings/{id}/actions/{action}', { params: { name, id, action: word } })
  return word === 'approve' ? `${id} is let in.` : `${id} is turned away.`
}
