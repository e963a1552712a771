// What billing lives by, put together for the API: the usage ledger with its prices.
import type { Db } from 'mongodb'
import type { Prices } from '../specs/prices.ts'
import { usageIn, type Usage } from './store/usage.ts'
import { readPrices } from './usage/prices.ts'

export interface Money {
  readonly usage: Usage
  readonly prices: Prices
}

/** Over a database. Throws when the price table is wrong. */
export function moneyIn(db: Db): Money {
  return { usage: usageIn(db), prices: readPrices() }
}
