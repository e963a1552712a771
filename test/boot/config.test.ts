// The gateway's configuration: what openclaw.md proved, the tenant's overlay, and the keys that no overlay moves.
import test from 'ava'
import fc from 'fast-check'
import { gatewayConfig, type GatewayConfigInput, MANAGED_KEYS, managedKeysIn } from '../../boot/config.ts'
import { at, canonical, type Json, type JsonObject, overlaid, sorted } from '../../boot/json.ts'

const input: GatewayConfigInput = {
  hosts: ['acme.example.com', 'www.acme.org'],
  publicOrigin: 'https://acme.example.com',
  managed: true,
  llmBaseUrl: 'http://llm-proxy.internal:4000/v1',
  maySleep: true,
  overlay: undefined,
}

const got = (config: Json, path: string) => at(config, path.split('.'))

test('a managed tenant gets the road in, the platform LLM and no secret', (t) => {
  const config = gatewayConfig(input)
  t.deepEqual(got(config, 'gateway'), {
    auth: { mode: 'token', token: { id: '/gateway', provider: 'platform', source: 'file' } },
    bind: 'loopback',
    controlUi: { allowedOrigins: ['https://acme.example.com', 'https://www.acme.org'], enabled: true },
    http: { endpoints: { chatCompletions: { enabled: true } } },
    mode: 'local',
    port: 18789,
    publicOrigin: 'https://acme.example.com',
    trustedProxies: ['127.0.0.1/32', '::1/128'],
  })
  t.is(got(config, 'models.providers.kiwi.baseUrl'), input.llmBaseUrl)
  t.deepEqual(got(config, 'models.providers.kiwi.apiKey'), {
    id: '/llm',
    provider: 'platform',
    source: 'file',
  })
  t.deepEqual(got(config, 'secrets.providers.platform'), {
    mode: 'json',
    path: '/run/moorage/secrets.json',
    source: 'file',
  })
  t.is(got(config, 'agents.defaults.model.primary'), 'kiwi/kiwi-default')
  t.is(got(config, 'browser.executablePath'), '/data/bin/chrome-headless-shell')
  t.is(got(config, 'browser.noSandbox'), true)
  t.is(got(config, 'update.checkOnStart'), false)
  t.is(got(config, 'models.catalogRefresh.enabled'), false)
})

test('a tenant with its own keys gets no provider of ours', (t) => {
  const config = gatewayConfig({ ...input, managed: false })
  t.deepEqual(got(config, 'models'), { catalogRefresh: { enabled: false } })
  t.is(got(config, 'agents.defaults.model'), undefined)
  t.false(canonical(config).includes('/llm'))
})

test('the heartbeat is off only where the machine may sleep', (t) => {
  t.is(got(gatewayConfig(input), 'agents.defaults.heartbeat.every'), '0m')
  t.is(got(gatewayConfig({ ...input, maySleep: false }), 'agents.defaults.heartbeat'), undefined)
})

test('every host is an allowed origin, with the scheme and port of the public one', (t) => {
  const local = { ...input, hosts: ['acme.localhost'], publicOrigin: 'http://acme.localhost:7080' }
  t.deepEqual(got(gatewayConfig(local), 'gateway.controlUi.allowedOrigins'), ['http://acme.localhost:7080'])
})

test('an origin that OpenClaw refuses to start with is left out', (t) => {
  const shown = (publicOrigin: string) => got(gatewayConfig({ ...input, publicOrigin }), 'gateway.publicOrigin')
  t.is(shown('http://acme.localhost:7080'), undefined)
  t.is(shown('http://localhost:7080'), 'http://localhost:7080')
  t.is(shown('https://acme.example.com:8443/'), 'https://acme.example.com:8443')
})

test('an overlay merges, and null takes a key away', (t) => {
  const overlay = { browser: { headless: null, extra: 1 }, channels: { telegram: { enabled: true } }, update: null }
  const config = gatewayConfig({ ...input, overlay })
  t.is(got(config, 'browser.headless'), undefined)
  t.is(got(config, 'browser.extra'), 1)
  t.is(got(config, 'browser.enabled'), true)
  t.is(got(config, 'channels.telegram.enabled'), true)
  t.is(got(config, 'update'), undefined)
})

test('no overlay moves a managed key, whatever it says', (t) => {
  const json = fc.jsonValue() as fc.Arbitrary<Json>
  const gateway = fc.oneof(
    json,
    fc.dictionary(fc.constantFrom(...MANAGED_KEYS.map((path) => path[1] ?? ''), 'other'), json),
  )
  const overlays = fc.record({ gateway, other: json }, { requiredKeys: [] }) as fc.Arbitrary<JsonObject>
  fc.assert(
    fc.property(overlays, (overlay) => {
      const ours = gatewayConfig(input)
      const laid = gatewayConfig({ ...input, overlay })
      for (const path of MANAGED_KEYS) t.deepEqual(at(laid, path), at(ours, path))
      return true
    }),
    { numRuns: 200 },
  )
})

test('an overlay is told which of its keys are managed', (t) => {
  const overlay = { gateway: { auth: { mode: 'none' }, tls: {}, http: {} }, browser: {} }
  t.deepEqual(managedKeysIn(overlay), ['gateway.auth', 'gateway.tls'])
  t.deepEqual(managedKeysIn({}), [])
})

test('the order of keys says nothing: equal wishes have equal text', (t) => {
  const left = gatewayConfig({ ...input, overlay: { a: { x: 1, y: 2 }, b: 3 } })
  const right = gatewayConfig({ ...input, hosts: [...input.hosts].reverse(), overlay: { b: 3, a: { y: 2, x: 1 } } })
  t.is(JSON.stringify(left), JSON.stringify(right))
})

test('a key named __proto__ is a key and nothing more', (t) => {
  const overlay = JSON.parse('{"__proto__": {"polluted": true}, "a": {"__proto__": 1}}') as JsonObject
  const laid = overlaid({ a: {} }, overlay) as Record<string, unknown>
  t.is(({} as Record<string, unknown>)['polluted'], undefined)
  t.is(laid['polluted'], undefined)
  t.is(Object.getPrototypeOf(laid), Object.prototype)
  t.is(canonical(laid as Json), canonical(overlay))
  t.deepEqual(JSON.stringify(sorted(overlay)), JSON.stringify(sorted(JSON.parse(JSON.stringify(overlay)) as Json)))
})
