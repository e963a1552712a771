// The language of desired state: what is accepted, what is filled in, who wins, when a condition moves.
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { classDocument, resolveSpec } from '../../specs/class.ts'
import { stateConditions, type Statement } from '../../specs/conditions.ts'
import { effectiveState, effectiveStates } from '../../specs/effective.ts'
import { machineName, newUid, parseName, tenantCertificates, volumeName } from '../../specs/names.ts'
import { jsonSchemas, parseYaml, parseYamlAll, toYaml } from '../../specs/parse.ts'
import { poolDocument } from '../../specs/pool.ts'
import { readRecord, recordText } from '../../specs/record.ts'
import { tenantDocument, tenantSpec } from '../../specs/tenant.ts'
import { standard } from '../helpers/tenants.ts'

const specs = resolve(import.meta.dirname, '..', '..', 'specs')

test('every example and class in the repository is valid, and survives being written and read again', (t) => {
  for (const folder of ['examples', 'classes'])
    for (const file of readdirSync(join(specs, folder))) {
      const parsed = parseYamlAll(readFileSync(join(specs, folder, file), 'utf8'))
      for (const one of parsed) {
        t.true(one.ok, `${file}: ${one.ok ? '' : JSON.stringify(one.problems)}`)
        if (one.ok) t.deepEqual(parseYamlAll(toYaml(one.value)), [one])
      }
    }
})

test('problems have the line and column of the field, or of what should hold it', (t) => {
  const parsed = parseYaml('kind: Tenant\nname: acme\nspec:\n  state: on\n  guest:\n    cpus: 1\n', tenantDocument)
  t.false(parsed.ok)
  if (parsed.ok) return
  const places = parsed.problems.map(({ path, line, column }) => `${path} ${line ?? 0}:${column ?? 0}`)
  t.deepEqual(places, ['spec.state 4:10', 'spec.guest.cpuKind 6:5', 'spec.guest.memoryMb 6:5'])
})

test('a pool’s maximum is not below its minimum', (t) => {
  const pool = { kind: 'Pool', name: 'warm', spec: { region: 'iad', class: 'standard', min: 3, max: 2 } }
  t.false(poolDocument.safeParse(pool).success)
  t.true(poolDocument.safeParse({ ...pool, spec: { ...pool.spec, max: 3 } }).success)
})

test('a class needs every field that a tenant may leave out', (t) => {
  for (const field of Object.keys(standard)) {
    const spec = Object.fromEntries(Object.entries(standard).filter(([name]) => name !== field))
    t.false(classDocument.safeParse({ kind: 'Class', name: 'x', spec }).success, field)
  }
  const own = { cpuKind: 'shared', cpus: 2, memoryMb: 4096 } as const
  const spec = tenantDocument.parse({ kind: 'Tenant', name: 'a', spec: { guest: own } }).spec
  t.like(resolveSpec(spec, standard), { guest: own, image: standard.image, volumeSizeGb: 1, managed: true })
})

test('the most restrictive of the three owners wins, whoever else says what', (t) => {
  const admins = ['running', 'suspended', 'deleted'] as const
  const billings = ['active', 'suspended', 'ended'] as const
  const idles = ['awake', 'asleep'] as const
  const seen = new Set<string>()
  for (const admin of admins)
    for (const billing of billings)
      for (const idle of idles) {
        const rank = [
          admin === 'deleted' ? 0 : admin === 'suspended' ? 2 : 4,
          billing === 'active' ? 4 : 1,
          idle === 'asleep' ? 3 : 4,
        ]
        const state = effectiveState({ admin, billing, idle })
        seen.add(state)
        t.is(effectiveStates.indexOf(state), Math.min(...rank))
      }
  t.is(seen.size, 5)
})

test('a condition’s time moves only when a reader can see a change', (t) => {
  const ready: Statement = { type: 'Ready', status: 'False', reason: 'Starting', message: 'Starting.' }
  const synced: Statement = { type: 'Synced', status: 'True', reason: 'Observed', message: 'Fine.' }
  const first = stateConditions([], [synced, ready], 1, 100)
  t.deepEqual(
    first.map(({ type }) => type),
    ['Ready', 'Synced'],
  )
  const second = stateConditions(first, [ready, { ...synced, nextTryAt: 7 }], 2, 200)
  t.true(second.every(({ lastTransitionTime }) => lastTransitionTime === 100))
  t.true(second.every(({ observedGeneration }) => observedGeneration === 2))
  const third = stateConditions(second, [{ ...ready, message: 'Still starting.' }], 2, 300)
  t.deepEqual(
    third.map(({ type, lastTransitionTime }) => [type, lastTransitionTime]),
    [['Ready', 300]],
  )
})

test('names fit Fly’s rules, and no two tenants or incarnations share one', (t) => {
  const naming = { prefix: 'kc', environment: 'production' }
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 10, maxLength: 10 }),
      fc.integer({ min: 1, max: 999 }),
      (bytes, incarnation) => {
        const uid = newUid(() => bytes)
        t.regex(uid, /^[a-z2-7]{16}$/)
        t.regex(volumeName(naming, uid, incarnation), /^[a-z0-9_]{1,30}$/)
        t.regex(machineName(naming, uid, incarnation), /^[a-z0-9-]{1,62}$/)
        t.not(machineName(naming, uid, incarnation), machineName(naming, uid, incarnation + 1))
        for (const name of [volumeName(naming, uid, incarnation), machineName(naming, uid, incarnation)])
          t.deepEqual(parseName(naming, name), { uid, incarnation })
      },
    ),
  )
  t.not(
    newUid(() => new Uint8Array(10)),
    newUid(() => new Uint8Array(10).fill(1)),
  )
})

test('the platform’s hosts share a wildcard, a tenant’s own domain has its own certificate', (t) => {
  const wildcard = tenantCertificates('acme', ['a.test'], { domain: 'example.com', certificates: 'wildcard' })
  t.deepEqual(wildcard, [
    { host: '*.example.com', shared: true },
    { host: 'a.test', shared: false },
  ])
  const own = tenantCertificates('acme', [], { domain: 'example.com', certificates: 'per-host' })
  t.deepEqual(own, [{ host: 'acme.example.com', shared: false }])
})

test('the JSON Schema says what the validation says', (t) => {
  const { Tenant } = jsonSchemas() as { Tenant: { required: string[]; additionalProperties: boolean } }
  t.deepEqual(Tenant.required.sort(), ['kind', 'name', 'spec'])
  t.false(Tenant.additionalProperties)
})

test('a name of another installation, or of nobody, is not ours', (t) => {
  const naming = { prefix: 'kc', environment: 'dev' }
  for (const name of [
    'kc-prod-abcdefghijklmnop-1',
    'xx-dev-abcdefghijklmnop-1',
    'kc-dev-abcdefghijklmnop',
    'kc-dev-abcdefghijklmnop-0',
    'kc-dev-abcdefghijklmno1-1',
    'kc_dev_abcdefghijklmnop_1',
    'kc_pro_abcdefghijklmnop_001',
    'x kc_dev_abcdefghijklmnop_001',
    '',
  ])
    t.is(parseName(naming, name), undefined, name)
})

test('a tenant’s record in its machine’s metadata reads back, without its configuration and state', (t) => {
  const spec = tenantSpec.parse({
    state: 'suspended',
    class: 'byok',
    region: 'ams',
    domains: ['a.test'],
    config: { k: 'canary' },
  })
  const record = readRecord(recordText({ plan: 'pro' }, spec))
  t.deepEqual(record?.labels, { plan: 'pro' })
  t.deepEqual(record?.spec, { class: 'byok', region: 'ams', domains: ['a.test'], update: 'deferred' })
  t.notRegex(Buffer.from(recordText({}, spec), 'base64url').toString(), /canary|suspended/)
  const labels = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`label-${index}`, 'x'.repeat(60)]))
  t.deepEqual(readRecord(recordText(labels, spec))?.labels, {})
  for (const wrong of ['', 'x', Buffer.from('{"spec":{"region":"nowhere"}}').toString('base64url')])
    t.is(readRecord(wrong), undefined)
})
