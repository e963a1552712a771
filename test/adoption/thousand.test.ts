// A thousand living machines and an empty database: all adopted over REST, and not one change on Fly, then or after.
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import test from 'ava'
import { machineConfig } from '../../boot/machine.ts'
import { resolveSpec } from '../../specs/class.ts'
import { machineName, newUid, volumeName } from '../../specs/names.ts'
import { recordText } from '../../specs/record.ts'
import { tenantSpec } from '../../specs/tenant.ts'
import { gatewayInput } from '../../reconciler/wish.ts'
import { adoption } from '../../src/adoption.ts'
import { realClock } from '../../src/clock.ts'
import { fleet, type Fleet } from '../helpers/living-fleet.ts'
import { tenantWith } from '../helpers/tenants.ts'
import { startTestApi } from '../api/fixture.ts'

const count = 1_000

/** A tenant's machine as the controller makes it, straight through Fly's API. */
async function populate({ api, ports }: Fleet, number: number): Promise<string> {
  const { settings, secrets } = ports
  const uid = newUid((length) => realClock.bytes(length))
  const name = `tenant-${number}`
  const spec = { ...tenantSpec.parse({ class: number % 2 === 0 ? 'standard' : 'byok' }), config: { number } }
  const tenant = { name, spec }
  const defaults = ports.classOf(tenantWith(spec, { name, uid }))
  if (defaults === undefined) throw new Error('no class')
  const resolved = resolveSpec(spec, defaults)
  const { environment } = settings.naming
  const volume = { name: volumeName(settings.naming, uid, 1), region: spec.region, size_gb: 1 }
  const volumeId = (await api('POST', '/apps/app/volumes', volume)).body.id
  const record = recordText({ number: String(number) }, spec)
  const config = machineConfig({
    ...resolved,
    volumeId,
    identity: { environment, uid, incarnation: 1, tenant: name, term: 1, record },
    secrets: { gatewayToken: secrets.gatewayToken(uid), bridgeKey: secrets.bridgeKey(uid, 1), llmToken: 'token' },
    gateway: gatewayInput(ports, tenant, resolved),
    bootScript: settings.bootScript,
    bridgeSource: settings.bridgeSource,
  })
  await api('POST', '/apps/app/machines', { name: machineName(settings.naming, uid, 1), region: spec.region, config })
  return name
}

test('a thousand machines and an empty database', async (t) => {
  t.timeout(300_000)
  const boot = (file: string) => readFile(resolve(import.meta.dirname, '..', '..', 'boot', file), 'utf8')
  const it = await fleet(t, { bootScript: await boot('start.sh'), bridgeSource: await boot('bridge.mjs') })
  const started = performance.now()
  const since = () => `${((performance.now() - started) / 1000).toFixed(1)} s`
  const names: string[] = []
  for (let first = 0; first < count; first += 50)
    names.push(...(await Promise.all(Array.from({ length: 50 }, (_, at) => populate(it, first + at)))))
  t.log(`${count} machines made after ${since()}`)
  const before = await it.mutations()
  const rest = await startTestApi(t, () => ({ adopt: adoption(it.ports, it.db, it.tenants, it.classes) }))
  const answer = await rest.call('/v1/fleet/actions/adopt', { method: 'POST', timeoutMs: 60_000 })
  t.is(answer.status, 200, answer.text.slice(0, 1000))
  const { adopted, skipped, unclaimed } = answer.json() as Record<string, { name: string; drift: string }[]>
  t.deepEqual(adopted?.map(({ name }) => name).sort(), names.sort())
  t.true(adopted?.every(({ drift }) => drift === 'none'))
  t.deepEqual([skipped, unclaimed], [[], []])
  t.log(`adopted after ${since()}`)
  t.deepEqual(await it.mutations(), before)

  await it.converge()
  t.log(`every tenant looked at and settled after ${since()}`)
  t.like(await it.tenants.byName('tenant-7'), {
    labels: { number: '7' },
    spec: { class: 'byok', config: { number: 7 } },
    status: { observedGeneration: 1, route: { kind: 'forward' } },
  })
  t.deepEqual(await it.mutations(), before)
  t.false(rest.logged.join().includes(it.ports.secrets.gatewayToken((await it.tenants.byName('tenant-7'))?.uid ?? '')))
})
