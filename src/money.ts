// What billing lives by, put together for the API: the usage ledger with its prices, and billing's messages.
import type { Db } from 'mongodb'
import type { Prices } from '../specs/prices.ts'
import { billingMessagesIn, type BillingMessages } from './store/billing.ts'
import { usageIn, type Usage } from './store/usage.ts'
import { readPrices } from './usage/prices.ts'

export interface Money {
  readonly usage: Usage
  readonly prices: Prices
  readonly billing: { readonly secrets: readonly string[] | undefined; readonly messages: BillingMessages }
}

export interface MoneySettings {
  readonly billingSecrets: readonly string[] | undefined
}

/** Over a database. Throws when the price table is wrong. */
export function moneyIn(db: Db, { billingSecrets }: MoneySettings): Money {
  return {
    usage: usageIn(db),
    prices: readPrices(),
    billing: { secrets: billingSecrets, messages: billingMessagesIn(db) },
  }
}
