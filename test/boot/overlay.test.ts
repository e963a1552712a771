// The overlay recovered from a whole configuration: the same configuration again, whatever the overlay was.
import test from 'ava'
import fc from 'fast-check'
import { gatewayConfig, type GatewayConfigInput, MANAGED_KEYS } from '../../boot/config.ts'
import { canonical, type Json, type JsonObject, withAt } from '../../boot/json.ts'
import { overlayOf } from '../../boot/overlay.ts'

const input: GatewayConfigInput = {
  hosts: ['acme.example.com', 'www.acme.org'],
  publicOrigin: 'https://acme.example.com',
  managed: true,
  llmBaseUrl: 'http://llm-proxy.internal:4000/v1',
  maySleep: true,
  overlay: undefined,
}

/** Overlays that hit our own keys often: at the top, in the middle, with null, and with another kind of value. */
const names = ['gateway', 'models', 'agents', 'browser', 'update', 'defaults', 'http', 'controlUi', 'heartbeat']
const ownNames = [...names, 'mode', 'auth', 'enabled', 'providers', 'kiwi', 'checkOnStart', '__proto__', 'other']
const overlays = fc.letrec<{ node: Json; tree: JsonObject }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant(null),
    fc.jsonValue({ maxDepth: 1 }) as fc.Arbitrary<Json>,
    tie('tree'),
  ),
  tree: fc.dictionary(fc.constantFrom(...ownNames), tie('node'), { maxKeys: 5 }),
})).tree

test('an overlay that was laid is found again: it makes the same configuration', (t) => {
  const inputs = fc.record({ managed: fc.boolean(), maySleep: fc.boolean(), overlay: overlays })
  fc.assert(
    fc.property(inputs, (drawn) => {
      const whole = { ...input, ...drawn }
      const config = gatewayConfig(whole)
      const found = overlayOf(config, whole)
      t.not(found, undefined)
      t.is(canonical(gatewayConfig({ ...whole, overlay: found })), canonical(config))
    }),
    { numRuns: 500 },
  )
})

test('nothing laid, nothing found', (t) => {
  t.deepEqual(overlayOf(gatewayConfig(input), input), {})
})

test('a plain overlay comes back as it was written', (t) => {
  const overlay = {
    channels: { telegram: { enabled: true } },
    browser: { headless: null, extra: [1, null] },
    update: null,
  }
  t.deepEqual(overlayOf(gatewayConfig({ ...input, overlay }), input), overlay)
})

test('what no overlay explains is not guessed at', (t) => {
  const config = gatewayConfig(input)
  for (const path of MANAGED_KEYS)
    t.is(overlayOf(withAt(config, path, 'changed by hand'), input), undefined, path.join())
  t.is(overlayOf(config, { ...input, publicOrigin: 'https://acme.example.com:444' }), undefined)
  t.is(overlayOf({ ...(config as JsonObject), stray: null }, input), undefined)
  for (const json of [null, 5, 'text', [], {}]) t.is(overlayOf(json, input), undefined)
})
