// How an answer is shown: a table for people, JSON and YAML for programs. Pure.
import { stringify } from 'yaml'

export const formats = ['table', 'json', 'yaml'] as const
export type Format = (typeof formats)[number]

/** The text at a path of keys, '' where there is none. */
export function textAt(value: unknown, ...path: readonly string[]): string {
  const found = path.reduce<unknown>(
    (inner, key) => (typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>)[key] : undefined),
    value,
  )
  if (typeof found === 'string') return found
  return typeof found === 'number' || typeof found === 'boolean' ? String(found) : ''
}

/** The value in a format; `people` writes the table. */
export function shown(format: Format, value: unknown, people: () => string): string {
  switch (format) {
    case 'table':
      return people()
    case 'json':
      return JSON.stringify(value, null, 2)
    case 'yaml':
      return stringify(value).trimEnd()
  }
}
