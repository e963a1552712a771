// The proxy's metrics in Prometheus' form. No label names a tenant, a host or a path: their number must not grow with those.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { ProxyStats } from './tally.ts'

export interface Ended {
  readonly upgrade: boolean
  /** 0 where nothing was answered. */
  readonly status: number
  /** Who answered. */
  readonly by: 'tenant' | 'proxy'
  readonly ms: number
}

export type Record = (ended: Ended) => void

/** Seconds: from a cached answer to a model that thinks for minutes. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300]

const prefix = 'moorage_proxy'

type Name = Exclude<keyof ProxyStats, 'pages' | 'requests' | 'upgrades'>

const gauges: readonly (readonly [Name, string, string])[] = [
  ['tenants', 'routes', 'Tenants that the proxy has a route for'],
  ['inFlight', 'requests_in_progress', 'Requests in progress'],
  ['openUpgrades', 'websockets_open', 'WebSockets open or being opened'],
  ['upstreamConnections', 'upstream_connections', 'Connections open to machines'],
]

const counters: readonly (readonly [Name, string, string])[] = [
  ['fast', 'fast_lane_total', 'Requests that took the fast lane'],
  ['dials', 'dials_total', 'Connections opened to machines, each with its proof'],
  ['repeated', 'repeated_total', 'Requests sent again because a connection was closed or could not be had'],
  ['stalled', 'stalled_total', 'Connections cut because the other end had stopped reading'],
  ['crossTenantBlocked', 'cross_tenant_blocked_total', 'Connections refused because a machine was not the one meant'],
  ['hostConflicts', 'host_conflicts_total', 'Hosts that a second tenant claimed'],
]

function readStats(registry: Registry, stats: () => ProxyStats): void {
  const registers = [registry]
  for (const [key, name, help] of gauges)
    new Gauge({
      name: `${prefix}_${name}`,
      help,
      registers,
      collect() {
        this.set(stats()[key])
      },
    })
  for (const [key, name, help] of counters)
    new Counter({
      name: `${prefix}_${name}`,
      help,
      registers,
      collect() {
        this.reset()
        this.inc(stats()[key])
      },
    })
  new Counter({
    name: `${prefix}_pages_total`,
    help: 'Answers of the proxy itself, by reason',
    labelNames: ['reason'],
    registers,
    collect() {
      this.reset()
      for (const [reason, count] of Object.entries(stats().pages)) this.inc({ reason }, count)
    },
  })
}

const statusClass = (status: number) => (status === 0 ? 'none' : `${Math.min(9, Math.trunc(status / 100))}xx`)

/**
 * Registers the proxy's metrics. A registry takes one proxy.
 *
 * @returns to be told of each exchange that ended
 */
export function proxyMetrics(registry: Registry, stats: () => ProxyStats): Record {
  readStats(registry, stats)
  const registers = [registry]
  const ended = new Counter({
    name: `${prefix}_exchanges_total`,
    help: 'Requests and upgrades that ended, by who answered and with what',
    labelNames: ['kind', 'by', 'status'],
    registers,
  })
  const seconds = new Histogram({
    name: `${prefix}_request_seconds`,
    help: 'From a request’s headers to the end of its answer',
    labelNames: ['by'],
    buckets,
    registers,
  })
  return ({ upgrade, by, status, ms }) => {
    ended.inc({ kind: upgrade ? 'upgrade' : 'request', by, status: statusClass(status) })
    if (!upgrade) seconds.observe({ by }, ms / 1_000)
  }
}
