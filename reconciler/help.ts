// Help: what a person can do about a tenant, as a command of `moor` and as the REST call behind it. Pure.
import type { Tenant } from '../specs/tenant.ts'
import type { Help } from './reasons.ts'

export interface WhyAction {
  /** As in "To try again now: ...". */
  readonly does: string
  readonly command: string
  /** Method and path, and in words what the body says. */
  readonly request: string
}

const put = (name: string, what: string) => `PUT /v1/tenants/${name} with ${what}`

/** Undefined where it does not apply to this tenant. */
function action({ name, spec, status }: Tenant, help: Help): WhyAction | undefined {
  const tenant = `/v1/tenants/${name}`
  switch (help) {
    case 'retry':
      return { does: 'try again now', command: `moor retry ${name}`, request: `POST ${tenant}/actions/retry` }
    case 'edit':
      return { does: 'change what is wanted', command: `moor edit ${name}`, request: put(name, 'a changed spec') }
    case 'unpause':
      return spec.paused
        ? {
            does: 'let Moorage act again',
            command: `moor set ${name} paused=false`,
            request: put(name, 'spec.paused false'),
          }
        : undefined
    case 'update-now':
      return {
        does: 'restart it with the new configuration now',
        command: `moor set ${name} update=immediate`,
        request: put(name, 'spec.update immediate'),
      }
    case 'undelete':
      return status.purgingSince === undefined
        ? {
            does: 'take the deletion back',
            command: `moor resume ${name}`,
            request: put(name, 'spec.state running'),
          }
        : undefined
    case 'delete':
      return { does: 'give the tenant up', command: `moor delete ${name}`, request: `DELETE ${tenant}` }
    case 'diff':
      return { does: 'see the differences', command: `moor diff ${name}`, request: `GET ${tenant}/diff` }
    case 'approve':
      return {
        does: 'approve what billing asked for',
        command: `moor approve ${name}`,
        request: `POST ${tenant}/actions/approve`,
      }
    case 'fleet':
      return { does: 'see what holds the fleet back', command: 'moor fleet status', request: 'GET /v1/fleet' }
    case 'entitle':
      return {
        does: 'let billing allow it again',
        command: `moor entitle ${name} active`,
        request: `PUT ${tenant}/entitlement with state active`,
      }
    case 'run':
      return { does: 'run it', command: `moor resume ${name}`, request: put(name, 'spec.state running') }
  }
}

/** What can be done, the most direct first. */
export function helpFor(tenant: Tenant, wanted: readonly Help[]): WhyAction[] {
  return [...new Set(wanted)].map((help) => action(tenant, help)).filter((found) => found !== undefined)
}
