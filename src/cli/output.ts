// How an answer is shown: a table for people, JSON and YAML for programs. Pure.
import { stringify } from 'yaml'

export const formats = ['table', 'json', 'yaml'] as const
export type Format = (typeof formats)[number]

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
