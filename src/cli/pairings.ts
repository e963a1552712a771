// Who asks to be let into a tenant's gateway, and a person's word on it.
import type { Api } from './client.ts'
import { type Column, table } from '../table.ts'
import { type Format, shown, textAt } from './output.ts'
import { tenantPath } from './tenants.ts'

const columns: readonly Column[] = [
  ['ID', (item) => textAt(item, 'id') || 'paired'],
  ['DEVICE', (item) => textAt(item, 'device').slice(0, 12)],
  ['CLIENT', (item) => textAt(item, 'displayName') || textAt(item, 'client') || '-'],
  ['ADDRESS', (item) => textAt(item, 'address') || '-'],
  ['SINCE', (item) => textAt(item, 'requestedAt') || textAt(item, 'approvedAt') || '-'],
]

/** What waits for an answer first, then what was let in. */
export async function pairings(api: Api, name: string, format: Format): Promise<string> {
  const { body } = await api.get(`${tenantPath(name)}/pairings`)
  const { pending = [], paired = [] } = body as { pending?: readonly unknown[]; paired?: readonly unknown[] }
  return shown(format, body, () =>
    pending.length + paired.length === 0 ? 'Nobody has asked to be let in.' : table([...pending, ...paired], columns),
  )
}

export async function decidePairing(api: Api, name: string, word: 'approve' | 'reject', id: string): Promise<string> {
  await api.post(`${tenantPath(name)}/pairings/${encodeURIComponent(id)}/actions/${word}`)
  return word === 'approve' ? `${id} is let in.` : `${id} is turned away.`
}
