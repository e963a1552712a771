// Adoption: the tenants of a living fleet, written into a database that has lost them. It reads Fly and writes the
// database; no call of it changes anything on Fly.
import type { ClassSpec } from '../../specs/class.ts'
import type { Instant } from '../../specs/clock.ts'
import { Fault } from '../../specs/faults.ts'
import { metadataKeys, parseName, type Naming } from '../../specs/names.ts'
import type { Tenant } from '../../specs/tenant.ts'
import { driftOf, type Drift } from '../drift.ts'
import type { FleetSurvey } from '../observed.ts'
import type { Owner, Owners } from '../owner.ts'
import type { Ports } from '../ports.ts'
import { wishOf } from '../wish.ts'
import { claimsIn, type Claim, type Unclaimed } from './claims.ts'
import { imagesIn } from './images.ts'
import { adoptedTenant, type AdoptionContext } from './tenant.ts'

export interface AdoptionPorts extends Ports {
  readonly owners: Owners
  /** Adds the tenant; `taken` when its uid, its name or one of its domains is in use. */
  add(tenant: Tenant): Promise<'added' | 'taken'>
  nameTaken(name: string): Promise<boolean>
  /**
   * Makes these the images of their classes, where a class has no tenants yet, so that nobody drifts from what the fleet
   * runs. Answers those that are, or with `dryRun` would be.
   */
  keepImages(images: ReadonlyMap<string, string>, dryRun: boolean): Promise<ReadonlyMap<string, string>>
}

export interface Adopted {
  readonly name: string
  readonly uid: string
  readonly machine: string
  readonly volume: string
  readonly state: Tenant['spec']['state']
  /** Whether the machine is exactly what the tenant's spec asks for now. */
  readonly drift: Drift
  readonly fenced: readonly string[]
}

export interface Skipped {
  readonly name: string
  readonly uid: string
  readonly reason: string
}

export interface AdoptionOptions {
  /** Says what would be adopted, and writes nothing. */
  readonly dryRun: boolean
  /** Takes machines at rest for sleeping, where the idle policy can have put them to sleep; else for suspended. */
  readonly asleep: boolean
}

export interface AdoptionReport {
  readonly at: Instant
  readonly dryRun: boolean
  readonly adopted: readonly Adopted[]
  readonly skipped: readonly Skipped[]
  readonly unclaimed: readonly Unclaimed[]
}

interface Candidate {
  readonly claim: Claim
  readonly tenant: Tenant
}

/** Tenants that are asked and written at the same time. */
const batch = 32

async function inBatches<T, U>(items: readonly T[], work: (item: T) => Promise<U>): Promise<U[]> {
  const results: U[] = []
  for (let start = 0; start < items.length; start += batch)
    results.push(...(await Promise.all(items.slice(start, start + batch).map(work))))
  return results
}

/** What a reading shows that no document speaks of. */
function foreignIds(naming: Naming, survey: FleetSurvey, owners: ReadonlyMap<string, Owner>): string[] {
  const machines = survey.machines.filter(({ uid }) => owners.get(uid)?.kind !== 'tenant')
  const volumes = survey.volumes.filter(({ name }) => !owners.has(parseName(naming, name)?.uid ?? ''))
  return [...machines, ...volumes].map(({ id }) => id)
}

function uidsIn(naming: Naming, { machines, volumes }: FleetSurvey): string[] {
  const inNames = volumes.map(({ name }) => parseName(naming, name)?.uid ?? '')
  return [...new Set([...machines.map(({ uid }) => uid), ...inNames])].filter((uid) => uid !== '')
}

/** Two complete readings, the lists' lag apart, and then the database. They must agree on what the database does not know. */
async function surveyTwice(ports: AdoptionPorts) {
  const { cloud, clock, settings } = ports
  const first = await cloud.survey()
  await new Promise<void>((resolve) => void clock.after(settings.listLagMs, resolve))
  const survey = await cloud.survey()
  const { naming } = settings
  const owners = await ports.owners.of([...new Set([...uidsIn(naming, first), ...uidsIn(naming, survey)])])
  const ids = (reading: FleetSurvey) => foreignIds(naming, reading, owners).sort().join()
  if (ids(first) !== ids(survey))
    throw new Fault('unavailable', 'Two readings of the fleet differ: Fly’s lists cannot be believed now. Try again.', {
      call: 'survey',
    })
  return { survey, owners }
}

const nameIn = ({ machine }: Claim) => machine.metadata[metadataKeys.tenant] ?? ''

/** What comes twice: nobody can tell whose it is. */
function twiceIn(words: readonly string[]): ReadonlySet<string> {
  const [once, twice] = [new Set<string>(), new Set<string>()]
  for (const word of words) (once.has(word) ? twice : once).add(word)
  return twice
}

interface Sorted {
  readonly candidates: readonly Candidate[]
  readonly skipped: readonly Skipped[]
  readonly unclaimed: readonly Unclaimed[]
}

const inDatabase = 'The tenant is in the database already.'
const unclaimed = ({ machine: { id } }: Claim, reason: string): Unclaimed => ({ id, kind: 'machine', reason })

function verdictOn(context: AdoptionContext, claim: Claim, owner: Owner | undefined): Candidate | Skipped | Unclaimed {
  if (owner?.kind === 'tenant') return { name: owner.name, uid: claim.uid, reason: inDatabase }
  if (owner !== undefined) return unclaimed(claim, `It is left over from ${owner.name}, which was purged.`)
  const tenant = adoptedTenant(context, claim)
  return typeof tenant === 'string' ? unclaimed(claim, tenant) : { claim, tenant }
}

/** Sorts what the survey shows; of what the database knows only the tenants themselves are mentioned. */
function sort(context: AdoptionContext, survey: FleetSurvey, owners: ReadonlyMap<string, Owner>): Sorted {
  const { naming } = context.settings
  const found = claimsIn(survey, naming)
  const verdicts = found.claims.map((claim) => verdictOn(context, claim, owners.get(claim.uid)))
  const candidates = verdicts.filter((verdict) => 'tenant' in verdict)
  // A name counts also where its machine cannot be adopted for another reason: the two may be one tenant.
  const unknown = found.claims.filter(({ uid }) => !owners.has(uid))
  const twice = twiceIn([...unknown.map(nameIn), ...candidates.flatMap(({ tenant }) => tenant.spec.domains)])
  const wordOf = ({ tenant }: Candidate) => [tenant.name, ...tenant.spec.domains].find((word) => twice.has(word))
  const foreign = new Set(foreignIds(naming, survey, owners))
  return {
    candidates: candidates.filter((candidate) => wordOf(candidate) === undefined),
    skipped: verdicts.filter((verdict) => 'uid' in verdict),
    unclaimed: [
      ...found.unclaimed.filter(({ id }) => foreign.has(id)),
      ...verdicts.filter((verdict) => 'kind' in verdict),
      ...candidates.flatMap((candidate) => {
        const word = wordOf(candidate)
        return word === undefined ? [] : [unclaimed(candidate.claim, `Another machine claims ${word} too.`)]
      }),
    ],
  }
}

/**
 * The boot whose gateway answers now. It was ready before the database was lost, so its browser packages are taken as
 * installed: asking the machine itself would be a command in every one of them.
 */
async function preparedBoot({ probe }: AdoptionPorts, { claim }: Candidate): Promise<string | undefined> {
  if (claim.machine.state !== 'started') return undefined
  const guest = await probe.ask(claim.machine)
  return guest.kind === 'ready' ? guest.boot : undefined
}

async function add(ports: AdoptionPorts, candidate: Candidate): Promise<'added' | 'taken'> {
  const { tenant } = candidate
  const boot = await preparedBoot(ports, candidate)
  return ports.add(boot === undefined ? tenant : { ...tenant, status: { ...tenant.status, preparedBoot: boot } })
}

async function write(ports: AdoptionPorts, candidate: Candidate, dryRun: boolean): Promise<Adopted | Skipped> {
  const { claim, tenant } = candidate
  const { name, uid } = tenant
  if (await ports.nameTaken(name)) return { name, uid, reason: 'A tenant of this name is in the database already.' }
  if (!dryRun && (await add(ports, candidate)) === 'taken')
    return { name, uid, reason: 'Its uid, its name or one of its domains is in the database already.' }
  const drift = driftOf(claim.machine, wishOf(ports, tenant, undefined))
  const resources = { machine: claim.machine.id, volume: claim.volume.id, fenced: claim.fenced }
  return { name, uid, ...resources, state: tenant.spec.state, drift }
}

function withImage(found: ClassSpec | undefined, image: string | undefined): ClassSpec | undefined {
  return found === undefined || image === undefined ? found : { ...found, image }
}

/**
 * Takes back every tenant whose machine says beyond doubt what it was. Run again it skips what it finds in the database.
 *
 * @throws {Fault} when Fly cannot be asked, or says two different things
 */
export async function adopt(ports: AdoptionPorts, { dryRun, asleep }: AdoptionOptions): Promise<AdoptionReport> {
  if (!(await ports.cloud.appExists()))
    return { at: ports.clock.now(), dryRun, adopted: [], skipped: [], unclaimed: [] }
  const { survey, owners } = await surveyTwice(ports)
  const { settings, clock } = ports
  const kept = await ports.keepImages(imagesIn(survey.machines), dryRun)
  const classOf = (tenant: Tenant) => withImage(ports.classOf(tenant), kept.get(tenant.spec.class))
  const sorted = sort({ settings, now: clock.now(), asleep, classOf }, survey, owners)
  const written = await inBatches(sorted.candidates, (candidate) => write({ ...ports, classOf }, candidate, dryRun))
  return {
    at: survey.at,
    dryRun,
    adopted: written.filter((item) => 'drift' in item),
    skipped: [...sorted.skipped, ...written.filter((item) => 'reason' in item)],
    unclaimed: sorted.unclaimed,
  }
}
