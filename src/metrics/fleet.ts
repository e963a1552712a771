// The fleet as it is at each scrape: tenants by state, the mode, doubts, holds and budgets. By state, region and scope, and
// never by tenant: the number of labels must not grow with the fleet.
import { Gauge, type Registry } from 'prom-client'
import { budgetLevels } from '../../reconciler/guards/budget.ts'
import type { FleetView } from '../../reconciler/guards/view.ts'
import type { Clock } from '../../specs/clock.ts'
import type { TenantGroup } from '../store/fleet.ts'
import { inTime } from './patience.ts'

export interface FleetSources {
  readonly clock: Clock
  /** Undefined in a process without the reconciler. */
  readonly view: () => FleetView | undefined
  readonly tenants: () => Promise<readonly TenantGroup[]>
}

function tenantMetrics(registers: Registry[], sources: FleetSources): void {
  new Gauge({
    name: 'moorage_tenants',
    help: 'Tenants by what their owners’ words come to, and whether they are ready; absent while the database is',
    labelNames: ['effective', 'ready'],
    registers,
    async collect() {
      const groups = await inTime(sources.clock, sources.tenants, [])
      this.reset()
      for (const { effective, ready, count } of groups) this.set({ effective, ready: String(ready) }, count)
    },
  })
}

const scopeOf = (key: string) => key.split(' ')[0] ?? ''

function guardMetrics(registers: Registry[], { view, clock }: FleetSources): void {
  const gauge = (name: string, help: string, labelNames: string[], fill: (gauge: Gauge, seen: FleetView) => void) =>
    new Gauge({
      name,
      help,
      labelNames,
      registers,
      collect() {
        this.reset()
        const seen = view()
        if (seen !== undefined) fill(this, seen)
      },
    })
  gauge('moorage_fleet_mode', 'The mode in force: 1 for one of them', ['mode'], (each, { mode }) => {
    for (const one of ['normal', 'observe-only']) each.set({ mode: one }, Number(mode === one))
  })
  gauge('moorage_fleet_suspect', 'Whether the lists of the fleet are doubted', [], (each, { suspect }) =>
    each.set(suspect === undefined ? 0 : 1),
  )
  gauge(
    'moorage_fleet_holds',
    'Failures that many tenants wait out together, by scope',
    ['scope'],
    (each, { holds }) => {
      each.set({ scope: 'api' }, 0)
      for (const key of holds.keys()) each.inc({ scope: scopeOf(key) })
    },
  )
  gauge('moorage_fleet_budget_left', 'Destructive steps that may be taken now', ['budget', 'region'], (each, seen) => {
    for (const { name, region = '', left } of budgetLevels(seen, clock.now())) each.set({ budget: name, region }, left)
  })
}

/** Registers the fleet's metrics. */
export function fleetMetrics(registry: Registry, sources: FleetSources): void {
  tenantMetrics([registry], sources)
  guardMetrics([registry], sources)
}
