// The settings of the proxy: its limits for one tenant, and how much it logs. Part of settings.ts.
import { z } from 'zod'
import { defaultLimits } from '../proxy/limits.ts'

const count = z.coerce.number().int().min(1).max(1e9)
const seconds = z.coerce.number().min(0.001).max(2_000_000)

const ms = (value: number) => value / 1_000

export const proxySettings = {
  MOORAGE_PROXY_CONCURRENCY: count
    .default(defaultLimits.concurrency)
    .describe('requests in progress for one tenant; more get 503'),
  MOORAGE_PROXY_WEBSOCKETS: count.default(defaultLimits.sockets).describe('WebSockets of one tenant; more get 503'),
  MOORAGE_PROXY_RATE: z.coerce
    .number()
    .min(0.001)
    .max(1e6)
    .default(defaultLimits.ratePerSecond)
    .describe('requests and upgrades for one tenant per second, on average; more get 429'),
  MOORAGE_PROXY_BURST: count
    .default(defaultLimits.burst)
    .describe('how many of them may come at once after a quiet time'),
  MOORAGE_PROXY_BODY_MIB: z.coerce
    .number()
    .min(0.001)
    .max(1e6)
    .default(defaultLimits.bodyBytes / 1024 / 1024)
    .describe('the largest request body, in MiB; a larger one gets 413'),
  MOORAGE_PROXY_HEADERS_SECONDS: seconds.default(ms(defaultLimits.headersMs)).describe('for a request’s headers'),
  MOORAGE_PROXY_IDLE_SECONDS: seconds
    .default(ms(defaultLimits.idleMs))
    .describe('a request or WebSocket in which no byte moves for so long is cut'),
  MOORAGE_PROXY_TOTAL_SECONDS: seconds
    .default(ms(defaultLimits.totalMs))
    .describe('for a whole request with its answer; WebSockets have no such limit'),
  MOORAGE_PROXY_HOLD_SECONDS: seconds
    .default(ms(defaultLimits.holdMs))
    .describe('how long a request waits for a tenant that wakes up; then 503'),
  MOORAGE_PROXY_HELD_PER_TENANT: count
    .default(defaultLimits.heldPerTenant)
    .describe('how many may wait so for one tenant; more get 503'),
  MOORAGE_PROXY_HELD: count.default(defaultLimits.held).describe('how many may wait so in total; more get 503'),
  MOORAGE_PROXY_LOG_SAMPLE: z.coerce
    .number()
    .min(0)
    .max(1)
    .default(1)
    .describe('the part of the ordinary requests that are logged, 0 to 1; failures always are'),
}
