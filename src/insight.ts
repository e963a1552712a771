// Insight: a fresh look at one tenant for people, through the eyes of the reconciler, without doing anything.
import { configDifferences, type FieldDifference } from '../boot/differences.ts'
import type { LiveConfig } from '../boot/machine.ts'
import { diffOf, type Diff } from '../reconciler/diff.ts'
import type { PlanInput } from '../reconciler/decision.ts'
import type { Ports } from '../reconciler/ports.ts'
import { look } from '../reconciler/reconcile.ts'
import { wantedConfig } from '../reconciler/wish.ts'
import { surveyWorld } from '../reconciler/world.ts'
import { Fault } from '../specs/faults.ts'
import type { Tenant } from '../specs/tenant.ts'

/** Each throws a Fault when Fly cannot be asked. */
export interface Insight {
  /** The planner's input, observed now. The tenant need not be stored. */
  look(tenant: Tenant): Promise<PlanInput>
  diff(tenant: Tenant): Promise<Diff>
}

export interface InsightOptions {
  /** Undefined until the reconciler has started. */
  readonly ports: () => Ports | undefined
  /** A machine's configuration as it is, with its secrets; undefined where there is no such machine, or Fly hides it. */
  readonly liveConfig: (machine: string) => Promise<LiveConfig | undefined>
}

/** The secrets of both configurations are compared here and go no further. */
async function compareConfig(
  ports: Ports,
  input: PlanInput,
  liveConfig: InsightOptions['liveConfig'],
): Promise<readonly FieldDifference[]> {
  const { tenant, wish } = input
  const { machine, volume } = surveyWorld(input)
  if (machine === undefined || wish.resolved === undefined) return []
  const live = await liveConfig(machine.id)
  if (live === undefined) return []
  const occasion = { volumeId: volume?.id ?? machine.mount ?? '', incarnation: machine.incarnation }
  return configDifferences((await wantedConfig(ports, tenant, wish.resolved, occasion)) as LiveConfig, live)
}

/** Looks through the ports of the running reconciler. */
export function insightFrom({ ports, liveConfig }: InsightOptions): Insight {
  const running = (): Ports => {
    const found = ports()
    if (found === undefined) throw new Fault('unavailable', 'The reconciler has not started yet.', { call: 'observe' })
    return found
  }
  return {
    look: (tenant) => look(running(), tenant),
    diff: async (tenant) => {
      const input = await look(running(), tenant)
      return diffOf(input, await compareConfig(running(), input, liveConfig))
    },
  }
}
