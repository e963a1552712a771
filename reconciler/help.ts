// Help: what a person can do about a tenant, as a command of `moor` and as the REST call behind it. Pure.
import type { Tenant } from '../specs/tenant.ts'
import type { Help } from './reason.ts'

export interface WhyAction {
  /** As in "To try again now: ...". */
  readonly does: string
  readonly command: string
  /** Method and path, and in words what the body says. */
  readonly request: string
}

const say = (does: string, command: string, request: string): WhyAction => ({ does, command, request })

/** What is done by writing the spec. */
function byWriting({ name, spec, status }: Tenant, help: Help): WhyAction | undefined {
  const put = (what: string) => `PUT /v1/tenants/${name} with ${what}`
  switch (help) {
    case 'edit':
      return say('change what is wanted', 'moor apply -f FILE', put('a changed spec'))
    case 'run':
      return say('run it', `moor resume ${name}`, put('spec.state running'))
    case 'unpause':
      if (!spec.paused) return undefined
      return say('let Moorage act again', `moor set ${name} paused=false`, put('spec.paused false'))
    case 'update-now':
      return say('update it now, with a restart', `moor set ${name} update=immediate`, put('spec.update immediate'))
    case 'delete':
      if (status.retainedSince !== undefined) return undefined
      return say('give the tenant up', `moor delete ${name}`, `DELETE /v1/tenants/${name}`)
    default:
      return undefined
  }
}

/** What is asked for once. */
function byAction({ name, status }: Tenant, help: Help): WhyAction | undefined {
  const post = (action: string) => `POST /v1/tenants/${name}/actions/${action}`
  switch (help) {
    case 'retry':
      return say('try again now', `moor retry ${name}`, post('retry'))
    case 'restart':
      return say('restart its machine', `moor restart ${name}`, post('restart'))
    case 'undelete':
      if (status.purgingSince !== undefined) return undefined
      return say('take the deletion back', `moor undelete ${name}`, post('undelete'))
    case 'restore':
      if (status.volume === undefined) return undefined
      return say('restore it from a snapshot', `moor restore ${name}`, post('restore'))
    case 'approve':
      return say('approve what billing asked for', `moor approve ${name}`, post('approve'))
    case 'reject':
      return say('reject what billing asked for', `moor reject ${name}`, post('reject'))
    default:
      return undefined
  }
}

/** What is read, or is about more than this tenant. */
function beside({ name }: Tenant, help: Help): WhyAction | undefined {
  switch (help) {
    case 'diff':
      return say('see the differences', `moor diff ${name}`, `GET /v1/tenants/${name}/diff`)
    case 'entitle':
      return say(
        'let billing allow it again',
        `moor entitle ${name} active`,
        `PUT /v1/tenants/${name}/entitlement with state active`,
      )
    case 'fleet':
      return say('see what holds the fleet back', 'moor fleet', 'GET /v1/fleet')
    case 'acknowledge':
      return say('say that the lists are right', 'moor fleet acknowledge', 'POST /v1/fleet/actions/acknowledge')
    case 'normal':
      return say('let Moorage act', 'moor fleet normal', 'PUT /v1/fleet with mode normal')
    default:
      return undefined
  }
}

/** Undefined where it does not apply to this tenant. */
const action = (tenant: Tenant, help: Help): WhyAction | undefined =>
  byWriting(tenant, help) ?? byAction(tenant, help) ?? beside(tenant, help)

/** What can be done, the most direct first. */
export function helpFor(tenant: Tenant, wanted: readonly Help[]): WhyAction[] {
  return [...new Set(wanted)].map((help) => action(tenant, help)).filter((found) => found !== undefined)
}
