// The stores that people write to, telling the audit what each write changed. The stores themselves know nothing of it.
import { createHash } from 'node:crypto'
import type { OrphanStore } from '../../reconciler/orphans/orphan.ts'
import type { StoredClass } from '../../specs/class.ts'
import type { StoredPool } from '../../specs/pool.ts'
import type { Rollout } from '../../specs/rollout.ts'
import type { Tenant } from '../../specs/tenant.ts'
import type { ServiceToken } from '../identity/service-token.ts'
import type { ServiceTokens } from '../identity/service-tokens.ts'
import type { Money } from '../money.ts'
import type { PoolService } from '../pools.ts'
import type { ClassStore } from '../store/classes.ts'
import type { FleetStore } from '../store/fleet.ts'
import type { PoolStore } from '../store/pools.ts'
import type { Rollouts } from '../store/rollouts.ts'
import type { Tenants } from '../store/tenants.ts'
import type { Endpoint, Webhooks } from '../store/webhooks.ts'
import { diffOf } from './diff.ts'
import type { AuditChange } from './entry.ts'
import type { Told } from './trail.ts'

export interface NotedStores {
  readonly tenants: Tenants
  readonly fleet: FleetStore
  readonly classStore: ClassStore
  readonly rollouts: Rollouts
  readonly orphans: OrphanStore
  readonly tokens: ServiceTokens
  readonly pools: PoolService
  readonly money: Money
  readonly claim?: Claim | undefined
}

/** Makes a machine of a pool the new tenant's, where one fits. */
export type Claim = (tenant: Tenant) => Promise<Tenant | undefined>

/** Makes a change to an object and tells the audit of it. */
export type Record = <T>(object: string, act: () => Promise<T>, told: Told<T>) => Promise<T>

const wanted = ({ labels, spec, entitlement, parked, ...rest }: Tenant): object => {
  const { restore, retryRequestedAt, restartRequestedAt } = rest
  return { labels, spec, entitlement, parked, restore, retryRequestedAt, restartRequestedAt }
}

function tenantChange(before: Tenant | undefined, after: Tenant): AuditChange {
  return {
    object: `tenants/${after.name}`,
    uid: after.uid,
    generation: { from: before?.generation ?? null, to: after.generation },
    fields: diffOf(before && wanted(before), wanted(after)),
  }
}

function notedTenants(tenants: Tenants, record: Record): Tenants {
  return {
    ...tenants,
    add: (tenant) =>
      record(
        `tenants/${tenant.name}`,
        () => tenants.add(tenant),
        (result) => (result === 'added' ? tenantChange(undefined, tenant) : undefined),
      ),
    change: (before, wish) =>
      record(
        `tenants/${before.name}`,
        () => tenants.change(before, wish),
        (after) => after && tenantChange(before, after),
      ),
  }
}

/** A claim is the creation of a tenant. */
function notedClaim(claim: Claim, record: Record): Claim {
  return (tenant) =>
    record(
      `tenants/${tenant.name}`,
      () => claim(tenant),
      (after) => after && tenantChange(undefined, after),
    )
}

function poolChange(before: StoredPool | undefined, after: StoredPool | undefined): AuditChange {
  const found = after ?? before
  return {
    object: `pools/${found?.name ?? ''}`,
    ...(found === undefined ? {} : { uid: found.uid }),
    generation: { from: before?.generation ?? null, to: after?.generation ?? null },
    fields: diffOf(before && { spec: before.spec }, after && { spec: after.spec }),
  }
}

function notedPools(store: PoolStore, record: Record): PoolStore {
  return {
    ...store,
    add: (found) =>
      record(
        `pools/${found.name}`,
        () => store.add(found),
        (added) => (added ? poolChange(undefined, found) : undefined),
      ),
    change: (before, spec) =>
      record(
        `pools/${before.name}`,
        () => store.change(before, spec),
        (after) => after && poolChange(before, after),
      ),
    remove: (before) =>
      record(
        `pools/${before.name}`,
        () => store.remove(before),
        (removed) => (removed ? poolChange(before, undefined) : undefined),
      ),
  }
}

function classChange(before: StoredClass | undefined, after: StoredClass | undefined): AuditChange {
  const found = after ?? before
  return {
    object: `classes/${found?.name ?? ''}`,
    ...(found === undefined ? {} : { uid: found.uid }),
    generation: { from: before?.generation ?? null, to: after?.generation ?? null },
    fields: diffOf(before && { spec: before.spec }, after && { spec: after.spec }),
  }
}

function notedClasses(classes: ClassStore, record: Record): ClassStore {
  return {
    ...classes,
    add: (found) =>
      record(
        `classes/${found.name}`,
        () => classes.add(found),
        (added) => (added ? classChange(undefined, found) : undefined),
      ),
    save: (next) =>
      record(
        `classes/${next.name}`,
        async () => {
          const before = await classes.read(next.name)
          return { before, after: await classes.save(next) }
        },
        ({ before, after }) => after && classChange(before, after),
      ).then(({ after }) => after),
    remove: (before) =>
      record(
        `classes/${before.name}`,
        () => classes.remove(before),
        (removed) => (removed ? classChange(before, undefined) : undefined),
      ),
  }
}

/** Rollouts have much state of their own; what a person decides is the state they are in. */
function notedRollouts(rollouts: Rollouts, record: Record): Rollouts {
  const told = (rollout: Rollout): AuditChange => ({
    object: `rollouts/${rollout.id}`,
    fields: [{ path: 'state', to: rollout.state }],
  })
  return {
    ...rollouts,
    begin: (rollout) => record(`rollouts/${rollout.id}`, () => rollouts.begin(rollout), told),
    save: (next) =>
      record(
        `rollouts/${next.id}`,
        () => rollouts.save(next),
        (saved) => saved && told(saved),
      ),
  }
}

function notedTokens(tokens: ServiceTokens, record: Record): ServiceTokens {
  // The secret is not part of a token, and neither is when it was used.
  const shown = ({ name, role, selector, expiresAt, version, revokedAt }: ServiceToken): object => ({
    ...{ name, role, selector, expiresAt, version, revokedAt },
  })
  const told = (before: ServiceToken | undefined, after: ServiceToken): AuditChange => ({
    object: `tokens/${after.id}`,
    fields: diffOf(before && shown(before), shown(after)),
  })
  return {
    ...tokens,
    create: (wish) =>
      record(
        'tokens',
        () => tokens.create(wish),
        ({ token }) => told(undefined, token),
      ),
    rotate: (before, times) =>
      record(
        `tokens/${before.id}`,
        () => tokens.rotate(before, times),
        (issued) => issued && told(before, issued.token),
      ),
    revoke: (before) =>
      record(
        `tokens/${before.id}`,
        () => tokens.revoke(before),
        (after) => after && told(before, after),
      ),
  }
}

/** Some receivers take the address itself for a password: what stands behind the host is told apart by its hash alone. */
function shownUrl(url: string): string {
  const hash = createHash('sha256').update(url).digest('hex').slice(0, 16)
  return URL.canParse(url) ? `${new URL(url).origin} (sha256:${hash})` : `sha256:${hash}`
}

function endpointChange(before: Endpoint | undefined, after: Endpoint | undefined): AuditChange {
  const shown = ({ url, events, state, secretVersion }: Endpoint) => ({
    ...{ url: shownUrl(url), events, state, secretVersion },
  })
  return {
    object: `webhook-endpoints/${(after ?? before)?.id ?? ''}`,
    fields: diffOf(before && shown(before), after && shown(after)),
  }
}

function notedWebhooks(webhooks: Webhooks, record: Record): Webhooks {
  return {
    ...webhooks,
    addEndpoint: (endpoint) =>
      record(
        'webhook-endpoints',
        () => webhooks.addEndpoint(endpoint),
        () => endpointChange(undefined, endpoint),
      ),
    saveEndpoint: (next) =>
      record(
        `webhook-endpoints/${next.id}`,
        async () => {
          const before = await webhooks.endpoint(next.id)
          return { before, after: await webhooks.saveEndpoint(next) }
        },
        ({ before, after }) => after && endpointChange(before, after),
      ).then(({ after }) => after),
    removeEndpoint: (id) =>
      record(
        `webhook-endpoints/${id}`,
        async () => {
          const before = await webhooks.endpoint(id)
          return { before, removed: await webhooks.removeEndpoint(id) }
        },
        ({ before, removed }) => (removed ? endpointChange(before, undefined) : undefined),
      ).then(({ removed }) => removed),
    redeliver: (id, now) =>
      record(
        `webhook-deliveries/${id}`,
        () => webhooks.redeliver(id, now),
        (delivery) =>
          delivery && { object: `webhook-deliveries/${id}`, fields: [{ path: 'state', to: delivery.state }] },
      ),
  }
}

/** The same stores; each write that goes through is recorded. */
export function notedStores(stores: NotedStores, record: Record): NotedStores {
  const { fleet, orphans, pools, claim, money } = stores
  const { webhooks } = money
  return {
    tenants: notedTenants(stores.tenants, record),
    classStore: notedClasses(stores.classStore, record),
    rollouts: notedRollouts(stores.rollouts, record),
    tokens: notedTokens(stores.tokens, record),
    pools: { ...pools, store: notedPools(pools.store, record) },
    money: { ...money, webhooks: { ...webhooks, store: notedWebhooks(webhooks.store, record) } },
    ...(claim === undefined ? {} : { claim: notedClaim(claim, record) }),
    fleet: {
      ...fleet,
      want: (change) =>
        record(
          'fleet',
          () => fleet.want(change),
          () => ({ object: 'fleet', fields: diffOf({}, change) }),
        ),
    },
    orphans: {
      ...orphans,
      save: (before, after) =>
        record(
          `orphans/${before.id}`,
          () => orphans.save(before, after),
          (saved) =>
            saved && { object: `orphans/${saved.id}`, fields: diffOf({ state: before.state }, { state: saved.state }) },
        ),
    },
  }
}
