// JSON values: laying one over another, and one text form per value so that it can be hashed and compared.

export type Json = null | boolean | number | string | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [key: string]: Json
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The same value with every object's keys in code-unit order, so that equal values have equal text. */
export function sorted(value: Json): Json {
  if (Array.isArray(value)) return (value as readonly Json[]).map(sorted)
  if (!isObject(value)) return value
  const keys = Object.keys(value).sort()
  return Object.fromEntries(keys.map((key) => [key, sorted(value[key] ?? null)]))
}

/** The one text of a value: equal values give equal text, in every process. */
export function canonical(value: Json): string {
  return JSON.stringify(sorted(value))
}

/**
 * `top` laid over `base` as in RFC 7386: objects merge, `null` takes a key away, everything else replaces. Objects are
 * built with `fromEntries`, so that a key named `__proto__` is a key and nothing more.
 */
export function overlaid(base: Json | undefined, top: Json): Json {
  if (!isObject(top)) return top
  const under = isObject(base) ? base : {}
  const kept = Object.entries(under).filter(([key]) => !Object.hasOwn(top, key))
  const laid = Object.entries(top)
    .filter(([, value]) => value !== null)
    .map(([key, value]) => [key, overlaid(Object.hasOwn(under, key) ? under[key] : undefined, value)] as const)
  return Object.fromEntries([...kept, ...laid])
}

/** The value at a path, undefined when something on the way is missing. */
export function at(value: Json | undefined, path: readonly string[]): Json | undefined {
  const [key, ...rest] = path
  if (key === undefined) return value
  return isObject(value) && Object.hasOwn(value, key) ? at(value[key], rest) : undefined
}

/** `value` with `wanted` at the path, or with nothing there when `wanted` is undefined. */
export function withAt(value: Json | undefined, path: readonly string[], wanted: Json | undefined): Json {
  const [key, ...rest] = path
  if (key === undefined) return wanted ?? {}
  const object = isObject(value) ? value : {}
  const others = Object.entries(object).filter(([name]) => name !== key)
  if (wanted === undefined && (rest.length === 0 || !Object.hasOwn(object, key))) return Object.fromEntries(others)
  const inner = withAt(Object.hasOwn(object, key) ? object[key] : undefined, rest, wanted)
  return Object.fromEntries([...others, [key, inner]])
}
