// What a write amounts to, in a word and a sentence: who changed what, and nothing where nothing of people's has changed.
import test from 'ava'
import { changeEvent } from '../../src/events/change.ts'
import type { Tenant } from '../../specs/tenant.ts'
import { tenantWith } from '../helpers/tenants.ts'

const told = (before: Tenant, part: Partial<Tenant>) => {
  const event = changeEvent(before, { ...before, ...part }, 5)
  return event === undefined ? undefined : [event.who, event.reason, event.message]
}

test('each kind of change has its word', (t) => {
  const tenant = tenantWith()
  const { spec } = tenant
  const suspended = { state: 'suspended', reason: 'past due' } as const
  const parked = { entitlement: suspended, since: 1 }
  const held = { ...tenant, parked }
  const deleted = tenantWith({ state: 'deleted' })
  const cases: [Tenant, Partial<Tenant>, unknown][] = [
    [tenant, {}, undefined],
    [tenant, { status: { ...tenant.status, observedGeneration: 7 }, revision: 9 }, undefined],
    [
      tenant,
      { spec: { ...spec, state: 'suspended' } },
      ['admin', 'Suspended', 'The admin wants the tenant suspended.'],
    ],
    [deleted, { spec }, ['admin', 'Undeleted', 'The admin took the deletion back.']],
    [tenant, { entitlement: suspended }, ['billing', 'EntitlementChanged', 'Billing says suspended (past due).']],
    [
      tenant,
      { restartRequestedAt: 5, retryRequestedAt: 5 },
      ['admin', 'RestartRequested', 'The admin asked to restart the machine.'],
    ],
    [
      tenant,
      { entitlement: suspended, entitledBy: 'admin' },
      ['admin', 'EntitlementChanged', "The admin says suspended in billing's place (past due)."],
    ],
    [
      tenant,
      { parked },
      ['billing', 'ChangeParked', "Billing asked for suspended, which waits for an admin's approval."],
    ],
    [
      held,
      { parked: undefined, entitlement: suspended },
      ['admin', 'ChangeApproved', 'The admin approved what billing asked for: suspended.'],
    ],
    [
      held,
      { parked: undefined },
      [undefined, 'ChangeDropped', 'What billing asked for and waited for approval is dropped: suspended.'],
    ],
    [
      tenant,
      { restore: { requestedAt: 3 } },
      ['admin', 'RestoreRequested', 'The admin asked to restore the tenant from the newest snapshot.'],
    ],
    [tenant, { spec: { ...spec, class: 'byok' } }, ['admin', 'SpecChanged', 'The admin changed spec.class.']],
  ]
  for (const [before, part, expected] of cases) t.deepEqual(told(before, part), expected)
  t.like(changeEvent(undefined, tenant, 5), { reason: 'Created', kind: 'change', at: 5, who: 'admin' })
})
