// From the controller's writes to the outbox: whenever a tenant's status says that it came into a state that is told, that goes
// into the outbox. What a crash kept from going there is found by comparing all tenants with what they were told to be.
import type { Clock } from '../../specs/clock.ts'
import type { Tenant } from '../../specs/tenant.ts'
import type { Tenants } from '../store/tenants.ts'
import type { Webhooks } from '../store/webhooks.ts'
import { brakedOf, stateOf, tellingOf, type EventType, type Telling } from './events.ts'

export interface ToldOptions {
  readonly webhooks: Webhooks
  readonly clock: Pick<Clock, 'now'>
  readonly wake: () => void
  /** The outbox could not be written: the next comparison makes up for it. */
  readonly failed: (error: unknown) => void
}

async function tell({ webhooks, wake }: ToldOptions, telling: Telling): Promise<void> {
  const endpoints = await webhooks.endpoints()
  const { type } = telling
  const wanted = endpoints.filter(
    ({ state, events }) => state === 'enabled' && (events.length === 0 || events.includes(type)),
  )
  await webhooks.tell(telling, wanted)
  if (wanted.length > 0) wake()
}

/** Members of pools are nobody's tenants: of them nothing is told. */
const isMember = ({ pool }: Tenant) => pool !== undefined

/** The same tenants for the controller; a status that tells of another state goes into the outbox too. */
export function toldTenants(tenants: Tenants, options: ToldOptions): Tenants {
  const tried = async (telling: Telling) => {
    try {
      await tell(options, telling)
    } catch (error) {
      options.failed(error)
    }
  }
  const note = (after: Tenant, type: EventType) => tried(tellingOf(after, type, options.clock.now()))
  /** The first pass after a word was parked says so. */
  const noteBrake = async (before: Tenant, after: Tenant) => {
    const isNew = after.status.observedGeneration !== before.status.observedGeneration
    const telling = isNew ? brakedOf(after, options.clock.now()) : undefined
    if (telling !== undefined) await tried(telling)
  }
  return {
    ...tenants,
    saveStatus: async (before, status) => {
      const after = await tenants.saveStatus(before, status)
      const type = after === undefined || isMember(after) ? undefined : stateOf(after)
      if (after !== undefined && type !== undefined && type !== stateOf(before)) await note(after, type)
      if (after !== undefined) await noteBrake(before, after)
      return after
    },
    purge: async (tenant) => {
      const purged = await tenants.purge(tenant)
      if (purged && !isMember(tenant)) await note({ ...tenant, revision: tenant.revision + 1 }, 'tenant.purged')
      return purged
    },
  }
}

const pageSize = 500

async function everyTenant(tenants: Pick<Tenants, 'page'>): Promise<readonly Tenant[]> {
  const all: Tenant[] = []
  for (;;) {
    const page = await tenants.page({ after: all.at(-1)?.name, limit: pageSize })
    all.push(...page)
    if (page.length < pageSize) return all
  }
}

/** Tells what is so and was not told: after a crash, and for tenants from before. */
export async function catchUp(tenants: Pick<Tenants, 'page'>, options: ToldOptions): Promise<void> {
  const told = new Map(await options.webhooks.told())
  const now = options.clock.now()
  for (const tenant of await everyTenant(tenants)) {
    const before = told.get(tenant.uid)
    told.delete(tenant.uid)
    const type = stateOf(tenant)
    if (type !== undefined && type !== before?.type) await tell(options, tellingOf(tenant, type, now))
    const braked = brakedOf(tenant, now)
    if (braked !== undefined) await tell(options, braked)
  }
  for (const [uid, { type, tenant, revision }] of told)
    if (type !== 'tenant.purged')
      await tell(options, { type: 'tenant.purged', uid, tenant, revision: revision + 1, at: now, why: 'It is purged.' })
}
