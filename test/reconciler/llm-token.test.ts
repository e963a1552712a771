// The token for the LLM proxy in the planner: renewed in time and once, from every world, and it keeps nothing else waiting.
import test from 'ava'
import type { PlanInput } from '../../reconciler/decision.ts'
import { forecast } from '../../reconciler/forecast.ts'
import { plan } from '../../reconciler/plan.ts'
import { statusDone } from '../../reconciler/status.ts'
import type { TenantStatus } from '../../specs/tenant.ts'
import { emptyWorld, modelMachine, modelVolume } from '../helpers/model.ts'
import { freshStatus, tenantWith } from '../helpers/tenants.ts'
import { inputFor, plannerWorlds, worldNow } from '../helpers/worlds.ts'

const dayMs = 86_400_000
const renews = (input: PlanInput, llmTokenMs = 30 * dayMs): PlanInput => ({
  ...input,
  settings: { ...input.settings, llmTokenMs },
})

/** A settled tenant whose machine was made `days` ago. */
function settled(days: number, status: Partial<TenantStatus> = {}): PlanInput {
  const machine = modelMachine({ createdAt: worldNow - days * dayMs })
  const world = emptyWorld({
    ...{ app: 'present' as const, volumes: [modelVolume({})], machines: [machine] },
    ...{ certificates: { '*.localhost': 'issued' as const }, guest: { kind: 'ready' as const, boot: 'boot0' } },
  })
  const record = { id: 'm1', state: 'started', region: 'iad', incarnation: 1 }
  const known = { ...freshStatus, volume: { id: 'vol_1', incarnation: 1 }, machine: record, preparedBoot: 'boot0' }
  return renews(inputFor(tenantWith({}, { status: { ...known, ...status } }), world))
}

const step = (input: PlanInput) => {
  const decision = plan(input)
  return decision.kind === 'act' ? decision.step.kind : decision.kind
}

test('it is renewed after two thirds of its life, counted from the youngest that the gateway has', (t) => {
  const ago = (days: number) => worldNow - days * dayMs
  t.is(step(settled(19)), 'settled')
  t.is(step(settled(21)), 'renewToken', 'without a record it is as old as the machine')
  t.is(step(settled(100, { llm: { issuedAt: ago(19) } })), 'settled', 'an update brought another')
  t.is(step(settled(100, { llm: { issuedAt: ago(21) } })), 'renewToken')
  t.is(step(settled(100, { llm: { issuedAt: ago(99), renewed: { boot: 'boot0', at: ago(19) } } })), 'settled')
  t.is(step(settled(100, { llm: { issuedAt: ago(99), renewed: { boot: 'boot0', at: ago(21) } } })), 'renewToken')
  t.is(step(settled(100, { llm: { issuedAt: ago(99), renewed: { boot: 'other', at: ago(1) } } })), 'renewToken', 'it was lost with the boot') // prettier-ignore
})

test('the step writes down which boot has it; a new configuration begins anew', (t) => {
  const { tenant, now } = settled(100, { llm: { issuedAt: 5 } })
  const renewed = statusDone(tenant, { kind: 'renewToken', id: 'm1', boot: 'boot0' }, {}, now)
  t.deepEqual(renewed.llm, { issuedAt: 5, renewed: { boot: 'boot0', at: now } })
  const update = {
    kind: 'updateMachine',
    id: 'm1',
    version: 'v1',
    incarnation: 1,
    volume: 'vol_1',
    launch: true,
  } as const
  const updated = statusDone({ ...tenant, status: renewed }, update, { tokenIssuedAt: now + 1 }, now + 2)
  t.deepEqual(updated.llm, { issuedAt: now + 1 })
})

test('from every world, wherever it leads, a token that is old is renewed at most once and changes nothing else', (t) => {
  let renewals = 0
  for (const { name, input } of plannerWorlds()) {
    const without = forecast(input)
    const { steps, ends } = forecast(renews(input))
    const others = steps.filter(({ verb }) => verb !== 'renewToken')
    const own = steps.length - others.length
    if (
      ends !== without.ends ||
      own > 1 ||
      others.map(({ verb }) => verb).join() !== without.steps.map(({ verb }) => verb).join()
    )
      // prettier-ignore
      t.fail(`${name}: ${steps.map(({ verb }) => verb).join(', ')} and then ${ends}`)
    if (own === 1 && input.wish.effective !== 'running') t.fail(`${name}: nobody needs a token`)
    renewals += own
  }
  t.true(renewals > 50, `${renewals} renewals`)
})
