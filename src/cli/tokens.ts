// What a person does with service tokens, and asks of his own.
import type { IssuedView, TokenView } from '../api/tokens.ts'
import { type Column, table } from '../table.ts'
import { type Api, asJson } from './client.ts'
import { type Format, shown } from './output.ts'

const columns: readonly Column<TokenView>[] = [
  ['ID', ({ id }) => id],
  ['NAME', ({ name }) => name],
  ['ROLE', ({ role }) => role],
  ['STATE', ({ state }) => state],
  ['SELECTOR', ({ labelSelector }) => labelSelector ?? '-'],
  ['EXPIRES', ({ expiresAt }) => expiresAt.slice(0, 16)],
  ['LAST USED', ({ lastUsedAt }) => lastUsedAt?.slice(0, 16) ?? 'never'],
]

export async function tokens(api: Api, format: Format): Promise<string> {
  const items = await api.all('/v1/tokens')
  return shown(format, { items }, () => (items.length === 0 ? 'There are no tokens.' : table(items, columns)))
}

/** The secret is on standard output alone, so that it can go straight into a file or a secret store. */
function issued({ token, secret }: IssuedView): { readonly out: string; readonly note: string } {
  return { out: secret, note: `token ${token.id}, until ${token.expiresAt.slice(0, 16)}; this is shown once` }
}

export interface TokenOptions {
  readonly role: string
  readonly selector?: string
  readonly days?: number
}

export async function createToken(api: Api, name: string, { role, selector, days }: TokenOptions) {
  const wanted = asJson({ name, role, labelSelector: selector, expiresInDays: days })
  return issued((await api.post('/v1/tokens', {}, wanted)).body)
}

export async function rotateToken(api: Api, id: string, graceHours: number) {
  return issued((await api.post('/v1/tokens/{id}/actions/rotate', { params: { id } }, asJson({ graceHours }))).body)
}

export async function revokeToken(api: Api, id: string): Promise<string> {
  await api.delete('/v1/tokens/{id}', { params: { id } })
  return `token ${id} is revoked`
}

export async function whoami(api: Api, format: Format): Promise<string> {
  const { body } = await api.get('/v1/whoami')
  const { name, id, role, labelSelector } = body
  const words = `${name} (${id}), role ${role}`
  return shown(format, body, () =>
    labelSelector === undefined ? words : `${words}, for tenants with ${labelSelector}`,
  )
}
