// The proxy's metrics in Prometheus' form. No label names a tenant, a host or a path: their number must not grow with those.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { ProxyStats } from './tally.ts'
import type { Outcome } from './waiting.ts'

export interface Ended {
  readonly upgrade: boolean
  /** 0 where nothing was answered. */
  readonly status: number
  /** Who answered. */
  readonly by: 'tenant' | 'proxy'
  readonly ms: number
}

export interface Recorder {
  /** An exchange has ended. */
  ended(ended: Ended): void
  /** A wait for a tenant to wake up has ended. */
  held(outcome: Outcome, ms: number): void
}

/** Seconds: from a cached answer to a model that thinks for minutes. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300]

const prefix = 'moorage_proxy'

type Name = Exclude<keyof ProxyStats, 'pages' | 'holds' | 'requests' | 'upgrades'>

const gauges: readonly (readonly [Name, string, string])[] = [
  ['tenants', 'routes', 'Tenants that the proxy has a route for'],
  ['doubted', 'routes_doubted', 'Routes kept although the store lists them no more; anything but 0 is an alarm'],
  ['inFlight', 'requests_in_progress', 'Requests in progress'],
  ['openUpgrades', 'websockets_open', 'WebSockets open or being opened'],
  ['upstreamConnections', 'upstream_connections', 'Connections open to machines'],
  ['held', 'held', 'Requests and upgrades that wait for a tenant to wake up'],
]

const counters: readonly (readonly [Name, string, string])[] = [
  ['fast', 'fast_lane_total', 'Requests that took the fast lane'],
  ['dials', 'dials_total', 'Connections opened to machines, each with its proof'],
  ['repeated', 'repeated_total', 'Requests sent again because a connection was closed or could not be had'],
  ['stalled', 'stalled_total', 'Connections cut because the other end had stopped reading'],
  ['crossTenantBlocked', 'cross_tenant_blocked_total', 'Connections refused because a machine was not the one meant'],
  ['hostConflicts', 'host_conflicts_total', 'Hosts that a second tenant claimed'],
  ['wakes', 'wakes_total', 'How often a tenant was asked to wake up'],
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

const statusClasses = ['none', '1xx', '2xx', '3xx', '4xx', '5xx', '6xx', '7xx', '8xx', '9xx'] as const
const statusClass = (status: number) => statusClasses[Math.min(9, Math.trunc(status / 100))] ?? 'none'

/** A machine resumes within a second or boots within half a minute. */
const heldBuckets = [0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 30]

function heldMetrics(registers: Registry[]): Recorder['held'] {
  const labelNames = ['outcome']
  const holds = new Counter({
    name: `${prefix}_holds_total`,
    help: 'Waits for a tenant to wake up, by how they ended',
    labelNames,
    registers,
  })
  const seconds = new Histogram({
    name: `${prefix}_held_seconds`,
    help: 'How long requests and upgrades waited for a tenant to wake up',
    buckets: heldBuckets,
    registers,
  })
  return (outcome, ms) => {
    holds.inc({ outcome })
    seconds.observe(ms / 1_000)
  }
}

/** Registers the proxy's metrics, and is then told of what ends. A registry takes one proxy. */
export function proxyMetrics(registry: Registry, stats: () => ProxyStats): Recorder {
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
  // Looked up once each: finding a labelled metric costs more than counting.
  const counters = () => new Map<string, Counter.Internal>()
  const counted = {
    request: { tenant: counters(), proxy: counters() },
    upgrade: { tenant: counters(), proxy: counters() },
  }
  const observers = { tenant: seconds.labels('tenant'), proxy: seconds.labels('proxy') }
  return {
    ended: ({ upgrade, by, status, ms }) => {
      const kind = upgrade ? 'upgrade' : 'request'
      const known = counted[kind][by]
      const outcome = statusClass(status)
      let counter = known.get(outcome)
      if (counter === undefined) known.set(outcome, (counter = ended.labels(kind, by, outcome)))
      counter.inc()
      if (!upgrade) observers[by].observe(ms / 1_000)
    },
    held: heldMetrics(registers),
  }
}
