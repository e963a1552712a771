// Diff: wanted against observed, per field that Moorage owns, and what mending each would take. Pure; it decides nothing.
import type { FieldDifference } from '../boot/differences.ts'
import { metadataKeys } from '../specs/names.ts'
import type { Instant } from '../specs/clock.ts'
import type { PlanInput } from './decision.ts'
import { driftOf, type Drift } from './drift.ts'
import type { ObservedMachine } from './observed.ts'
import { surveyWorld } from './world.ts'

/**
 * What kind of difference it is. `metadata`: written in place. `restart`: needs an update, which restarts a running machine.
 * `grow`: the volume is extended. `immutable`: never mended by itself. `runtime`: the machine is started or put to rest.
 * `stray`: a machine that is not the tenant's any more.
 */
export type DriftClass = 'metadata' | 'restart' | 'grow' | 'immutable' | 'runtime' | 'stray'

export interface DiffRow extends FieldDifference {
  readonly part: 'machine' | 'volume'
  /** Undefined where it is as wanted. */
  readonly driftClass: DriftClass | undefined
}

export interface Diff {
  readonly observedAt: Instant
  readonly machine: string | undefined
  readonly volume: string | undefined
  /** The planner's own verdict on the machine; undefined where there is none. */
  readonly drift: Drift | undefined
  readonly rows: readonly DiffRow[]
}

function classed(part: DiffRow['part'], driftClass: DriftClass, difference: FieldDifference): DiffRow {
  return { ...difference, part, driftClass: difference.same ? undefined : driftClass }
}

function compare(
  field: string,
  wanted: string | undefined,
  observed: string | undefined,
  same = wanted === observed,
): FieldDifference {
  return { field, wanted, observed, same }
}

/** The recorded spec is long and encoded; of it only whether it is the present one is shown. */
function metadataRow(key: string, wanted: string, observed: string | undefined): FieldDifference {
  const field = `metadata.${key}`
  if (key !== metadataKeys.record) return compare(field, wanted, observed)
  const said = observed === undefined ? undefined : observed === wanted ? 'present' : 'an earlier one'
  return compare(field, 'present', said)
}

function powerRow({ wish }: PlanInput, { state }: ObservedMachine): FieldDifference {
  switch (wish.effective) {
    case 'running':
    case 'pool-warm':
      return compare('state', 'started', state)
    case 'deleted':
      return compare('state', undefined, state)
    case 'billing-suspended':
    case 'admin-suspended':
    case 'idle-suspended':
      return compare('state', 'at rest', state, state === 'stopped' || state === 'suspended' || state === 'failed')
  }
}

function machineRows(
  input: PlanInput,
  machine: ObservedMachine,
  config: readonly FieldDifference[],
): readonly DiffRow[] {
  const { wish, tenant } = input
  const metadata = Object.entries(wish.metadata).map(([key, wanted]) => metadataRow(key, wanted, machine.metadata[key]))
  return [
    classed('machine', 'runtime', powerRow(input, machine)),
    classed('machine', 'immutable', compare('region', wish.resolved?.region, machine.region)),
    classed('machine', 'immutable', compare('mount', tenant.status.volume?.id, machine.mount)),
    ...config.map((difference) => classed('machine', 'restart', difference)),
    ...metadata.map((difference) => classed('machine', 'metadata', difference)),
  ]
}

function volumeRows(input: PlanInput): readonly DiffRow[] {
  const { volume } = surveyWorld(input)
  const { resolved } = input.wish
  if (volume === undefined || resolved === undefined) return []
  const size = compare(
    'size_gb',
    String(resolved.volumeSizeGb),
    String(volume.sizeGb),
    volume.sizeGb >= resolved.volumeSizeGb,
  )
  return [
    classed('volume', 'grow', size),
    classed('volume', 'immutable', compare('region', resolved.region, volume.region)),
  ]
}

/** Every owned field of the tenant's machine and volume; `config` is what the live configuration was compared to. */
export function diffOf(input: PlanInput, config: readonly FieldDifference[]): Diff {
  const { machine, volume, strays } = surveyWorld(input)
  const strayRows = strays.map(({ id, state }) => classed('machine', 'stray', compare(id, undefined, state)))
  return {
    observedAt: input.now,
    machine: machine?.id,
    volume: volume?.id,
    drift: machine === undefined || input.wish.resolved === undefined ? undefined : driftOf(machine, input.wish),
    rows: [...(machine === undefined ? [] : machineRows(input, machine, config)), ...strayRows, ...volumeRows(input)],
  }
}
