// A service token for each role.
import type { Role } from '../../src/api/caller.ts'
import type { ApiUnderTest } from './fixture.ts'

/** `more` limits them, for example. */
export async function tokensOf(api: ApiUnderTest, more: object = {}): Promise<Readonly<Record<Role, string>>> {
  const make = async (role: Role) => {
    const body = JSON.stringify({ name: role, role, ...more })
    const headers = { 'content-type': 'application/json' }
    return String((await api.call('/v1/tokens', { method: 'POST', headers, body })).json()['secret'])
  }
  return { admin: await make('admin'), billing: await make('billing'), viewer: await make('viewer') }
}
