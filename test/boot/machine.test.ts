// The machine config: the seed's request as corrected, valid by Fly's own contract where that is at hand; and its hash.
import test from 'ava'
import { gatewayConfig } from '../../boot/config.ts'
import { canonical } from '../../boot/json.ts'
import {
  BRIDGE_PATH,
  contentHash,
  machineConfig,
  mergedConfig,
  type MachineInput,
  machineRequest,
  specHash,
} from '../../boot/machine.ts'

const input: MachineInput = {
  image: 'ghcr.io/openclaw/openclaw@sha256:0123',
  guest: { cpuKind: 'shared', cpus: 1, memoryMb: 2048 },
  region: 'iad',
  volumeId: 'vol_1',
  identity: {
    environment: 'production',
    uid: 'abcdefghijklmnop',
    incarnation: 3,
    tenant: 'acme',
    term: 12,
    record: 'cmVj',
  },
  secrets: { gatewayToken: 'gateway-secret', bridgeKey: new Uint8Array(32).fill(7), llmToken: 'llm-secret' },
  gateway: {
    hosts: ['acme.example.com'],
    publicOrigin: 'https://acme.example.com',
    managed: true,
    llmBaseUrl: 'http://llm.internal/v1',
    maySleep: true,
    overlay: undefined,
  },
  bootScript: '#!/bin/sh\nexec true\n',
  bridgeSource: '// the bridge\n',
}

const secrets = ['gateway-secret', 'llm-secret', Buffer.from(input.secrets.bridgeKey).toString('base64url')]

test('the request is the seed’s, corrected', (t) => {
  t.deepEqual(machineRequest('kc-production-abcdefghijklmnop-3', input), {
    name: 'kc-production-abcdefghijklmnop-3',
    region: 'iad',
    config: {
      image: 'ghcr.io/openclaw/openclaw@sha256:0123',
      env: {
        OPENCLAW_GATEWAY_TOKEN: 'gateway-secret',
        OPENCLAW_STATE_DIR: '/data',
        OPENCLAW_CONFIG_B64: Buffer.from(canonical(gatewayConfig(input.gateway))).toString('base64'),
        PLAYWRIGHT_BROWSERS_PATH: '/data/.browsers',
        KIWICLAW_PROXY_TOKEN: 'llm-secret',
        MOORAGE_UID: 'abcdefghijklmnop',
        MOORAGE_INCARNATION: '3',
        MOORAGE_BRIDGE: '1',
        MOORAGE_BRIDGE_KEY: Buffer.from(input.secrets.bridgeKey).toString('base64url'),
        MOORAGE_HEAP_MB: '1536',
      },
      init: { exec: ['/bin/sh', '-c', input.bootScript] },
      guest: { cpu_kind: 'shared', cpus: 1, memory_mb: 2048 },
      files: [{ guest_path: BRIDGE_PATH, raw_value: Buffer.from(input.bridgeSource).toString('base64'), mode: 0o444 }],
      mounts: [{ volume: 'vol_1', path: '/data' }],
      restart: { policy: 'on-failure', max_retries: 3 },
      stop_config: { signal: 'SIGTERM', timeout: '60s' },
      metadata: {
        moorage_env: 'production',
        moorage_uid: 'abcdefghijklmnop',
        moorage_inc: '3',
        moorage_record: 'cmVj',
        moorage_tenant: 'acme',
        moorage_spec_hash: specHash(input),
        moorage_hash_version: '1',
        moorage_term: '12',
      },
    },
  })
})

test('nothing makes the machine public, nothing rules suspend out, and no file lies under the mount', (t) => {
  const config = machineConfig(input)
  t.false('services' in config)
  t.false('checks' in config)
  t.false('swap_size_mb' in config.init)
  const [mount, ...others] = config.mounts
  t.deepEqual(others, [])
  for (const file of config.files) t.false(file.guest_path.startsWith(`${mount?.path ?? ''}/`))
})

test('the LLM token goes to managed tenants only, and they cannot do without', (t) => {
  const byok = { ...input, gateway: { ...input.gateway, managed: false } }
  t.false('KIWICLAW_PROXY_TOKEN' in machineConfig(byok).env)
  const without = { ...input, secrets: { ...input.secrets, llmToken: undefined } }
  t.throws(() => machineConfig(without), { instanceOf: TypeError })
})

test('secrets are in their own variables only', (t) => {
  const { env, ...rest } = machineConfig(input)
  const decoded = Buffer.from(env['OPENCLAW_CONFIG_B64'] ?? '', 'base64').toString()
  for (const secret of secrets) {
    t.false(JSON.stringify(rest).includes(secret))
    t.false(decoded.includes(secret))
    t.is(Object.values(env).filter((value) => value === secret).length, 1)
  }
})

test('the heap is three quarters of the memory', (t) => {
  const big = { ...input, guest: { cpuKind: 'performance', cpus: 2, memoryMb: 4096 } } as const
  t.is(machineConfig(big).env['MOORAGE_HEAP_MB'], '3072')
})

test('the hash stands still for whatever is not the wish', (t) => {
  const hash = specHash(input)
  t.regex(hash, /^[0-9a-f]{64}$/)
  const { identity, secrets: own } = input
  const same: MachineInput[] = [
    { ...input, volumeId: 'vol_2' },
    { ...input, identity: { ...identity, tenant: 'other', term: 99, incarnation: 4 } },
    { ...input, secrets: { gatewayToken: 'x', bridgeKey: new Uint8Array(32), llmToken: 'y' } },
    { ...input, secrets: { ...own, llmToken: undefined } },
    JSON.parse(JSON.stringify({ ...input, secrets: { ...own, bridgeKey: [] } })) as MachineInput,
  ]
  for (const other of same) t.is(specHash(other), hash)
})

test('the hash moves with everything that is the wish', (t) => {
  const { gateway, guest } = input
  const others: MachineInput[] = [
    { ...input, image: 'other' },
    { ...input, guest: { ...guest, cpus: 2 } },
    { ...input, guest: { ...guest, memoryMb: 4096 } },
    { ...input, identity: { ...input.identity, uid: 'ponmlkjihgfedcba' } },
    { ...input, gateway: { ...gateway, managed: false } },
    { ...input, gateway: { ...gateway, maySleep: false } },
    { ...input, gateway: { ...gateway, overlay: { a: 1 } } },
    { ...input, gateway: { ...gateway, hosts: ['other.example.com'] } },
    { ...input, bootScript: 'other' },
    { ...input, bridgeSource: 'other' },
  ]
  const hashes = [input, ...others].map(specHash)
  t.is(new Set(hashes).size, hashes.length)
})

test('an update keeps what others have set, takes back what is ours, and closes what would open the machine', (t) => {
  const wanted = machineConfig({ ...input, gateway: { ...input.gateway, managed: false } })
  const live = {
    ...machineConfig(input),
    env: { ...machineConfig(input).env, THEIRS: '1' },
    files: [{ guest_path: '/etc/theirs', raw_value: 'eA==' }],
    metadata: { ...machineConfig(input).metadata, fly_process_group: 'app' },
    services: [{ internal_port: 18789 }],
    dns: { skip_registration: true },
  }
  const merged = mergedConfig(live, wanted) as typeof live
  t.is(merged.env['THEIRS'], '1')
  t.false('KIWICLAW_PROXY_TOKEN' in merged.env)
  t.deepEqual(
    merged.files.map(({ guest_path: path }) => path),
    ['/etc/theirs', BRIDGE_PATH],
  )
  t.is(merged.metadata['fly_process_group' as keyof typeof merged.metadata], 'app')
  t.deepEqual(merged.services, [])
  t.deepEqual(merged.dns, { skip_registration: true })
  t.is(contentHash(merged), contentHash(wanted))
})

test('the content’s hash sees what a hand may change, and not whose machine it is or what is not ours', (t) => {
  const config = machineConfig(input)
  const hash = contentHash(config)
  const other = machineConfig({ ...input, identity: { ...input.identity, incarnation: 9, term: 1 }, volumeId: 'vol_2' })
  const rotated = machineConfig({ ...input, secrets: { ...input.secrets, gatewayToken: 'another' } })
  for (const same of [other, rotated, { ...config, env: { ...config.env, THEIRS: '1' }, metadata: {} }])
    t.is(contentHash(same), hash)
  const without = Object.fromEntries(Object.entries(config.env).filter(([key]) => key !== 'OPENCLAW_GATEWAY_TOKEN'))
  for (const changed of [
    { ...config, image: 'example/other' },
    { ...config, guest: { ...config.guest, memory_mb: 4096 } },
    { ...config, init: { exec: ['/bin/sh'] } },
    { ...config, env: { ...config.env, OPENCLAW_STATE_DIR: '/tmp' } },
    { ...config, env: without },
    { ...config, services: [{ internal_port: 18789 }] },
    {},
  ])
    t.not(contentHash(changed), hash)
})
