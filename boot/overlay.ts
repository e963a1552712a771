// From a tenant's whole OpenClaw configuration back to the overlay that its owner wrote: how a lost database gets it again.
import { gatewayConfig, type GatewayConfigInput } from './config.ts'
import { canonical, isObject, type Json, type JsonObject } from './json.ts'

/** What makes `to` of `from`, as in RFC 7386: null takes a key away, and what is equal is left out. */
function difference(from: JsonObject, to: JsonObject): JsonObject {
  const gone = Object.keys(from)
    .filter((key) => !Object.hasOwn(to, key))
    .map((key) => [key, null] as const)
  const changed = Object.entries(to).flatMap(([key, value]) => {
    const before = Object.hasOwn(from, key) ? from[key] : undefined
    if (before !== undefined && canonical(before) === canonical(value)) return []
    return [[key, isObject(before) && isObject(value) ? difference(before, value) : value] as const]
  })
  return Object.fromEntries([...gone, ...changed])
}

/**
 * The overlay that turns what Moorage itself wants of `input` into `config`: `{}` when nothing differs. Undefined when no
 * overlay can: a managed key has another value, or the configuration was not made by `gatewayConfig` at all.
 */
export function overlayOf(config: Json, input: Omit<GatewayConfigInput, 'overlay'>): JsonObject | undefined {
  const plain = gatewayConfig({ ...input, overlay: undefined })
  if (!isObject(config) || !isObject(plain)) return undefined
  const overlay = difference(plain, config)
  return canonical(gatewayConfig({ ...input, overlay })) === canonical(config) ? overlay : undefined
}
