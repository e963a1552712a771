// What billing lives by, put together: the usage ledger with its prices, billing's messages, and webhooks out.
import type { Db } from 'mongodb'
import type { Clock } from '../specs/clock.ts'
import type { Prices } from '../specs/prices.ts'
import type { WebhookRoutes } from './api/webhooks.ts'
import type { Keys } from './keys.ts'
import { billingMessagesIn, type BillingMessages } from './store/billing.ts'
import type { Tenants } from './store/tenants.ts'
import { usageIn, type Usage } from './store/usage.ts'
import { webhooksIn } from './store/webhooks.ts'
import { readPrices } from './usage/prices.ts'
import { Deliverer } from './webhooks/deliverer.ts'
import { httpSender } from './webhooks/send.ts'
import { catchUp, toldTenants } from './webhooks/told.ts'

export interface Money extends Pick<WebhookRoutes, 'webhooks'> {
  readonly usage: Usage
  readonly prices: Prices
  readonly billing: { readonly secrets: readonly string[] | undefined; readonly messages: BillingMessages }
}

export interface MoneySettings {
  readonly billingSecrets: readonly string[] | undefined
  readonly allowPrivate: boolean
}

type Secrets = Pick<Keys, 'webhookSecret'>

/** Over a database. Throws when the price table is wrong. */
export function moneyIn(db: Db, { billingSecrets, allowPrivate }: MoneySettings, keys: Secrets): Money {
  return {
    usage: usageIn(db),
    prices: readPrices(),
    billing: { secrets: billingSecrets, messages: billingMessagesIn(db) },
    webhooks: { store: webhooksIn(db), secretOf: keys.webhookSecret, allowPrivate },
  }
}

export interface TellingOptions {
  readonly money: Money
  readonly tenants: Tenants
  readonly clock: Clock
  readonly failed: (error: unknown) => void
}

/** How often all tenants are compared with what they were told to be: only a crash or a lost write leaves a difference. */
const compareMs = 600_000

/** The tenants of the reconciler, whose changes of state are told, and the telling itself. */
export function startTelling({ money, tenants, clock, failed }: TellingOptions) {
  const { store, secretOf, allowPrivate } = money.webhooks
  const sender = httpSender({ clock, allowPrivate })
  const deliverer = new Deliverer({ webhooks: store, sender, clock, secretOf, failed })
  const options = { webhooks: store, clock, wake: () => deliverer.wake(), failed }
  let cancel = () => {}
  let comparing = Promise.resolve()
  const compare = () => {
    comparing = catchUp(tenants, options)
      .catch(failed)
      .then(() => {
        cancel = clock.after(compareMs, compare)
      })
  }
  compare()
  deliverer.wake()
  return {
    tenants: toldTenants(tenants, options),
    close: async () => {
      cancel()
      await comparing
      cancel()
      await deliverer.close()
    },
  }
}
