// The differences of two machine configurations: each owned field by name, and never a secret.
import test from 'ava'
import { configDifferences } from '../../boot/differences.ts'
import { machineConfig, type LiveConfig, type MachineInput } from '../../boot/machine.ts'

const input: MachineInput = {
  image: 'ghcr.io/openclaw/openclaw:1',
  guest: { cpuKind: 'shared', cpus: 1, memoryMb: 2048 },
  region: 'iad',
  volumeId: 'vol_1',
  identity: { environment: 'test', uid: 'abcdefghijklmnop', incarnation: 1, tenant: 'acme', term: 1, record: '' },
  secrets: { gatewayToken: 'canary-a', bridgeKey: new Uint8Array(32).fill(7), llmToken: 'canary-b' },
  gateway: {
    ...{ hosts: ['acme.example.com'], publicOrigin: 'https://acme.example.com', managed: true },
    ...{ llmBaseUrl: 'http://llm.internal/v1', maySleep: true, overlay: { browser: { headless: true } } },
  },
  bootScript: '#!/bin/sh\n',
  bridgeSource: '// bridge\n',
}
const wanted = machineConfig(input)

const differing = (live: LiveConfig) =>
  configDifferences(wanted, live)
    .filter(({ same }) => !same)
    .map(({ field, wanted: a, observed: b }) => [field, a, b])

test('a machine that is as wanted differs in nothing, also when its token was signed at another time', (t) => {
  t.deepEqual(differing(wanted), [])
  t.deepEqual(differing({ ...wanted, env: { ...wanted.env, KIWICLAW_PROXY_TOKEN: 'another' } }), [])
})

test('fields are shown with both values, secrets only as set or not', (t) => {
  const env = Object.fromEntries(Object.entries(wanted.env).filter(([key]) => key !== 'KIWICLAW_PROXY_TOKEN'))
  const live: LiveConfig = {
    image: 'evil/image:latest',
    guest: { cpu_kind: 'shared', cpus: 2, memory_mb: 4096 },
    init: { exec: ['/bin/sh'] },
    services: [{}],
    env: { ...env, OPENCLAW_GATEWAY_TOKEN: 'canary-c', MOORAGE_HEAP_MB: '10', OTHERS: 'canary-d' },
  }
  t.deepEqual(differing(live), [
    ['image', 'ghcr.io/openclaw/openclaw:1', 'evil/image:latest'],
    ['guest.cpus', '1', '2'],
    ['guest.memory_mb', '2048', '4096'],
    ['init.exec', 'set', 'set to something else'],
    ['services', '0', '1'],
    ['env.OPENCLAW_GATEWAY_TOKEN', 'set', 'set to something else'],
    ['env.KIWICLAW_PROXY_TOKEN', 'set', undefined],
    ['env.MOORAGE_HEAP_MB', '1536', '10'],
  ])
  t.notRegex(JSON.stringify(configDifferences(wanted, live)), /canary|BwcHBw/)
})

test('of the gateway’s configuration the differing keys are named, without their values', (t) => {
  const gateway = { ...input.gateway, overlay: { browser: { headless: false }, llm: { key: 'canary-e' } } }
  const live = machineConfig({ ...input, gateway })
  t.deepEqual(differing(live), [
    ['env.OPENCLAW_CONFIG_B64', 'set', 'set to something else'],
    ['config.browser.headless', 'set', 'set to something else'],
    ['config.llm.key', undefined, 'set'],
  ])
  const broken = { ...wanted, env: { ...wanted.env, OPENCLAW_CONFIG_B64: '%%%' } }
  t.true(differing(broken).length > 1)
  t.notRegex(JSON.stringify(differing(live)), /canary/)
})

test('a machine whose configuration is empty differs everywhere', (t) => {
  t.true(differing({}).length > 10)
})
