// Outlook: one step as a person wants to read it before it is done: on what, why, how long, and what it costs. Pure.
import type { PlanInput } from './decision.ts'
import { stepWords, type Step, type StepKind } from './step.ts'
import { surveyWorld } from './world.ts'

export interface PlannedStep {
  readonly verb: StepKind
  /** The id, name or host that it is done to. */
  readonly target: string
  /** As in "creating the volume". */
  readonly does: string
  readonly why: string
  /** Until the next step can follow. */
  readonly typicalSeconds: number
  /** Takes something away that cannot be put back as it was. */
  readonly destructive: boolean
  /** Whoever uses the tenant then is cut off. */
  readonly interrupts: boolean
}

/**
 * Seconds from a step to the next one, on Fly. The seed measured: volume 2 to 3, machine 5 to 10 and then 10 to 15 until it is
 * started, browser packages 10 to 15, certificate 1 to 2. Fly's docs: an update takes about 20 (warm-pool guide), a stopped
 * machine starts in about 2, to which the gateway's own start comes, a suspended one wakes in a few tenths. The rest are
 * assumed, as in the simulator (src/sim/latency.ts).
 */
export const typicalSeconds: Readonly<Record<StepKind, number>> = {
  createApp: 1,
  createVolume: 3,
  extendVolume: 3,
  snapshotVolume: 4,
  destroyVolume: 1,
  createMachine: 20,
  updateMachine: 20,
  stampMachine: 1,
  startMachine: 5,
  suspendMachine: 1,
  stopMachine: 2,
  destroyMachine: 2,
  prepareMachine: 13,
  renewToken: 4,
  personalise: 1,
  prepareSleep: 1,
  endSleep: 1,
  requestCertificate: 2,
  deleteCertificate: 1,
  forgetTenant: 1,
}

const wakeSeconds = 1

function target(step: Step): string {
  if ('id' in step) return step.id
  if ('name' in step) return step.name
  return 'host' in step ? step.host : 'the tenant'
}

function restWhy({ wish }: PlanInput): string {
  switch (wish.effective) {
    case 'deleted':
      return 'The tenant is deleted.'
    case 'billing-suspended':
      return 'Billing has suspended the tenant.'
    case 'admin-suspended':
      return 'The admin has suspended the tenant.'
    case 'idle-suspended':
      return 'Nobody has used the tenant for a while.'
    case 'running':
    case 'pool-warm':
      return 'The machine is not to run now.'
  }
}

const destroyWhy = {
  deleted: 'The tenant is deleted.',
  replaced: 'The machine cannot be used any more; another takes its place on the same volume.',
  retired: 'It stood ready in a pool, nobody has claimed it, and it is not needed any more.',
  stray: 'It is an earlier machine of this tenant that came back.',
} as const

function machineState(input: PlanInput): string {
  return surveyWorld(input).machine?.state ?? 'not running'
}

function why(input: PlanInput, step: Step): string {
  switch (step.kind) {
    case 'createApp':
      return 'The Fly app that holds every machine does not exist yet.'
    case 'createVolume':
      return 'The tenant has no volume for its data yet.'
    case 'extendVolume':
      return `The volume is smaller than the ${step.sizeGb} GB that are wanted.`
    case 'snapshotVolume':
      return 'The data is saved before the machine goes.'
    case 'destroyVolume':
      return 'The time for which a deleted tenant’s volume is retained is over.'
    case 'createMachine':
      return step.incarnation === 1 ? 'The tenant has no machine yet.' : 'The machine that it had is gone.'
    case 'updateMachine':
      return 'The machine differs from what is wanted.'
    case 'stampMachine':
      return 'The machine’s metadata is out of date.'
    case 'startMachine':
      return `The machine is ${machineState(input)}, and the tenant is to run.`
    case 'suspendMachine':
    case 'stopMachine':
      return restWhy(input)
    case 'destroyMachine':
      return destroyWhy[step.why]
    case 'prepareMachine':
      return 'The root filesystem is new, and the browser needs its system packages.'
    case 'renewToken':
      return 'Two thirds of the token’s life are over; the gateway reads the new one as it runs.'
    case 'personalise':
      return 'The machine comes from a pool, and its gateway does not know the tenant’s configuration yet.'
    case 'prepareSleep':
      return 'What the gateway still does is finished first, and its user’s own next job is read.'
    case 'endSleep':
      return 'The gateway was made ready for sleep, and is wanted again.'
    case 'requestCertificate':
      return `There is no certificate for ${step.host} yet.`
    case 'deleteCertificate':
      return `The certificate for ${step.host} is not needed any more.`
    case 'forgetTenant':
      return 'Nothing of the tenant is left on Fly.'
  }
}

function interrupts(input: PlanInput, { kind }: Step): boolean {
  const takesAway =
    kind === 'updateMachine' || kind === 'stopMachine' || kind === 'suspendMachine' || kind === 'destroyMachine'
  return takesAway && surveyWorld(input).machine?.state === 'started'
}

/** At the pace of the cloud that is asked: a simulator may be faster. */
function seconds(input: PlanInput, { kind }: Step): number {
  const wakes = kind === 'startMachine' && machineState(input) === 'suspended'
  const onFly = wakes ? wakeSeconds : typicalSeconds[kind]
  return Math.round(onFly * input.settings.scale * 10) / 10
}

/** The step with its reason, as it follows from this look at the world. */
export function outlook(input: PlanInput, step: Step): PlannedStep {
  const { kind } = step
  return {
    verb: kind,
    target: target(step),
    does: stepWords[kind],
    why: why(input, step),
    typicalSeconds: seconds(input, step),
    destructive: kind === 'destroyMachine' || kind === 'destroyVolume' || kind === 'forgetTenant',
    interrupts: interrupts(input, step),
  }
}
