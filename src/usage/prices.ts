// Reads the price table, which lives as YAML in specs/.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { check } from '../../specs/parse.ts'
import { prices, type Prices } from '../../specs/prices.ts'

const file = join(import.meta.dirname, '..', '..', 'specs', 'prices.yaml')

/** The prices in a text. Throws with the path of what is wrong. */
export function parsePrices(text: string, name = file): Prices {
  const checked = check(prices, parse(text))
  if (checked.ok) return checked.value
  throw new Error(`${name}: ${checked.problems.map(({ path, message }) => `${path} ${message}`).join('; ')}`)
}

/** The shipped table. */
export const readPrices = (): Prices => parsePrices(readFileSync(file, 'utf8'))
