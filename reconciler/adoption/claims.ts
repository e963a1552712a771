// Of a survey of the fleet, which machine and volume make up which tenant. What does not add up is named with its reason
// and never guessed at. Pure.
import { metadataKeys, parseName, type Naming } from '../../specs/names.ts'
import type { FleetSurvey, ObservedVolume, SurveyedMachine } from '../observed.ts'

/** One tenant's resources, which agree with each other. */
export interface Claim {
  readonly uid: string
  readonly machine: SurveyedMachine
  readonly volume: ObservedVolume
  /** Machines of earlier incarnations. */
  readonly fenced: readonly string[]
}

export interface Unclaimed {
  readonly id: string
  readonly kind: 'machine' | 'volume'
  readonly reason: string
}

export interface Claims {
  readonly claims: readonly Claim[]
  readonly unclaimed: readonly Unclaimed[]
}

const unclaimedMachine = ({ id }: SurveyedMachine, reason: string): Unclaimed => ({ id, kind: 'machine', reason })

/** Why a machine does not say beyond doubt whose it is. */
function identityFault(naming: Naming, machine: SurveyedMachine): string | undefined {
  const named = parseName(naming, machine.name)
  if (named === undefined) return `Its name ${machine.name} is not one of this installation’s.`
  const said = machine.metadata[metadataKeys.incarnation]
  return named.uid === machine.uid && String(named.incarnation) === said
    ? undefined
    : `Its name ${machine.name} and its metadata (${machine.uid}, ${said ?? 'no incarnation'}) say different things.`
}

function mountFault(naming: Naming, { uid, mount }: SurveyedMachine, volume: ObservedVolume | undefined) {
  if (mount === undefined) return 'Fly does not show which volume it mounts, or it mounts none.'
  if (volume === undefined) return `It mounts ${mount}, which is not among the volumes with a name of ours.`
  if (parseName(naming, volume.name)?.uid !== uid) return `It mounts ${mount}, whose name says another tenant.`
  return volume.state === 'leaving' ? `Its volume ${mount} is being destroyed.` : undefined
}

/** The highest incarnation speaks for the tenant; the lower ones never do, not even where it cannot. */
function claimOf(naming: Naming, found: readonly SurveyedMachine[], volumes: ReadonlyMap<string, ObservedVolume>) {
  const living = found.filter(({ state }) => state !== 'destroying')
  const [machine, ...earlier] = (living.length > 0 ? living : [...found]).sort((a, b) => b.incarnation - a.incarnation)
  if (machine === undefined) return undefined
  const volume = volumes.get(machine.mount ?? '')
  const fault = machine.state === 'destroying' ? 'It is being destroyed.' : mountFault(naming, machine, volume)
  if (fault !== undefined || volume === undefined) return unclaimedMachine(machine, fault ?? 'It has no volume.')
  return { uid: machine.uid, machine, volume, fenced: earlier.map(({ id }) => id) } satisfies Claim
}

/** Volumes that no machine speaks for: their tenant cannot be told from them, and nothing is done to them here. */
function looseVolumes(naming: Naming, { volumes }: FleetSurvey, claims: readonly Claim[]): Unclaimed[] {
  const byUid = new Map(claims.map((claim) => [claim.uid, claim]))
  return volumes.flatMap(({ id, name, state }): Unclaimed[] => {
    const claim = byUid.get(parseName(naming, name)?.uid ?? '')
    if (claim?.volume.id === id || state === 'leaving') return []
    const reason =
      claim === undefined
        ? 'No machine that can be adopted mounts it: the tenant’s own words are lost, its data is kept.'
        : `Tenant ${claim.uid} has ${claim.volume.id} mounted; this one has the tenant’s name too and is kept.`
    return [{ id, kind: 'volume', reason }]
  })
}

/** Sorts a survey into claims and what is left over. */
export function claimsIn(survey: FleetSurvey, naming: Naming): Claims {
  const volumes = new Map(survey.volumes.map((volume) => [volume.id, volume]))
  const faults = survey.machines.map((machine) => ({ machine, fault: identityFault(naming, machine) }))
  const sound = faults.filter(({ fault }) => fault === undefined).map(({ machine }) => machine)
  const verdicts = Object.values(Object.groupBy(sound, ({ uid }) => uid))
    .map((found = []) => claimOf(naming, found, volumes))
    .filter((verdict) => verdict !== undefined)
  const claims = verdicts.filter((verdict) => 'machine' in verdict)
  return {
    claims,
    unclaimed: [
      ...faults.flatMap(({ machine, fault }) => (fault === undefined ? [] : [unclaimedMachine(machine, fault)])),
      ...verdicts.filter((verdict) => 'reason' in verdict),
      ...looseVolumes(naming, survey, claims),
    ],
  }
}
