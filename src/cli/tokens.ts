// What a person does with service tokens, and asks of his own.
import type { Api } from './client.ts'
import { type Column, table } from '../table.ts'
import { type Format, shown, textAt } from './output.ts'

const columns: readonly Column[] = [
  ['ID', (item) => textAt(item, 'id')],
  ['NAME', (item) => textAt(item, 'name')],
  ['ROLE', (item) => textAt(item, 'role')],
  ['STATE', (item) => textAt(item, 'state')],
  ['SELECTOR', (item) => textAt(item, 'labelSelector') || '-'],
  ['EXPIRES', (item) => textAt(item, 'expiresAt').slice(0, 16)],
  ['LAST USED', (item) => textAt(item, 'lastUsedAt').slice(0, 16) || 'never'],
]

export async function tokens(api: Api, format: Format): Promise<string> {
  const items = await api.all('/v1/tokens')
  return shown(format, { items }, () => (items.length === 0 ? 'There are no tokens.' : table(items, columns)))
}

/** The secret is on standard output alone, so that it can go straight into a file or a secret store. */
function issued(body: unknown): { readonly out: string; readonly note: string } {
  const id = textAt(body, 'token', 'id')
  const until = textAt(body, 'token', 'expiresAt').slice(0, 16)
  return { out: textAt(body, 'secret'), note: `token ${id}, until ${until}; this is shown once` }
}

export interface TokenOptions {
  readonly role: string
  readonly selector?: string
  readonly days?: number
}

export async function createToken(api: Api, name: string, { role, selector, days }: TokenOptions) {
  const limits = selector === undefined ? {} : { labelSelector: selector }
  const life = days === undefined ? {} : { expiresInDays: days }
  return issued((await api.post('/v1/tokens', { name, role, ...limits, ...life })).body)
}

export async function rotateToken(api: Api, id: string, graceHours: number) {
  return issued((await api.post(`/v1/tokens/${encodeURIComponent(id)}/actions/rotate`, { graceHours })).body)
}

export async function revokeToken(api: Api, id: string): Promise<string> {
  await api.delete(`/v1/tokens/${encodeURIComponent(id)}`)
  return `token ${id} is revoked`
}

export async function whoami(api: Api, format: Format): Promise<string> {
  const { body } = await api.get('/v1/whoami')
  const limit = textAt(body, 'labelSelector')
  const words = `${textAt(body, 'name')} (${textAt(body, 'id')}), role ${textAt(body, 'role')}`
  return shown(format, body, () => (limit === '' ? words : `${words}, for tenants with ${limit}`))
}
