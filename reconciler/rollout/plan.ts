// What a rollout does next, decided by how its members are doing. Pure: nothing else opens a wave or rolls back by itself.
import type { Instant } from '../../specs/clock.ts'
import { lastWave, waves, type Rollout } from '../../specs/rollout.ts'
import { shareOf } from './image.ts'
import { isFailing, isUpdated, type Member, type Standing } from './members.ts'
import type { RolloutPace } from './pace.ts'

export type RolloutDecision =
  | { readonly kind: 'wait'; readonly until: Instant; readonly reason: string; readonly message: string }
  /** Open the next wave, and let one go in it who would have come later. */
  | { readonly kind: 'advance'; readonly canary?: Pick<Member, 'uid' | 'name'> | undefined }
  /** A gate fails: every tenant gets the old image again. */
  | { readonly kind: 'halt'; readonly reason: string; readonly message: string }
  | { readonly kind: 'finish' }

interface Scene {
  readonly rollout: Rollout
  /** Members of the wave that was opened last. */
  readonly own: readonly Member[]
  /** Members of all open waves. */
  readonly reached: readonly Member[]
  readonly now: Instant
  readonly pace: RolloutPace
}

/** 2 % of a group may be bad. With fewer than 50 that is nobody. */
const tolerated = (bad: number, all: number) => bad * 50 <= all

/** In a group so small that one crash is above the limit, a member that crashed once and runs again is let pass. */
const crashesThatCount = (size: number) => (size < 50 ? 2 : 1)

const are = (members: readonly Member[], ...kinds: readonly Standing['kind'][]) =>
  members.filter(({ standing }) => kinds.includes(standing.kind))

function said({ standing }: Member): string {
  return standing.kind === 'trouble' ? standing.said : 'It is Ready again.'
}

function example(members: readonly Member[]): string {
  const [first] = members
  return first === undefined ? '' : ` For example ${first.name}: ${said(first)}`
}

const minutes = (ms: number) => (ms < 60_000 ? `${Math.round(ms / 1_000)} s` : `${Math.round(ms / 60_000)} min`)

/** The gates: Ready at least 98 %, crashes at most 2 %, among the updated members that are wanted running. */
function gateFailure({ now, pace }: Scene, group: readonly Member[]): RolloutDecision | undefined {
  const judged = are(group, 'ready', 'trouble')
  const failing = judged.filter((member) => isFailing(member, now, pace.graceMs))
  if (!tolerated(failing.length, judged.length)) {
    const message = `${failing.length} of ${judged.length} updated members were not Ready for ${minutes(pace.graceMs)}; at most 2 % may be.${example(failing)}`
    return { kind: 'halt', reason: 'ReadyGateFailed', message }
  }
  const running = judged.filter(isUpdated)
  const crashed = running.filter(({ crashes }) => crashes >= crashesThatCount(running.length))
  if (tolerated(crashed.length, running.length)) return undefined
  const message = `${crashed.length} of ${running.length} updated members stopped by themselves since the wave opened; at most 2 % may.${example(crashed)}`
  return { kind: 'halt', reason: 'CrashGateFailed', message }
}

type Finding = RolloutDecision | undefined

function wait({ now, pace }: Scene, reason: string, message: string): RolloutDecision {
  return { kind: 'wait', until: now + pace.lookMs, reason, message }
}

/** A wave without members has nothing to bake. */
function bakedAt({ rollout, own, pace }: Scene): Instant {
  const bakeMs = own.length === 0 || rollout.hurried ? 0 : (pace.bakeMs[rollout.wave] ?? 0)
  return rollout.waveSince + bakeMs
}

function baking(scene: Scene): Finding {
  const { rollout, own, now } = scene
  const until = bakedAt(scene)
  if (now >= until) return undefined
  const message = `The wave ${waves[rollout.wave]?.name ?? ''} runs for a while before the next one: ${own.filter(isUpdated).length} of ${own.length} members have the new image.`
  return { kind: 'wait', until, reason: 'Baking', message }
}

/** Every member that can be updated now is updated; one that is not long after the bake can evidently not be. */
function updating(scene: Scene): Finding {
  const pending = are(scene.reached, 'pending')
  const [first] = pending
  if (first === undefined || scene.now >= bakedAt(scene) + scene.pace.patienceMs) return undefined
  return wait(scene, 'Updating', `${pending.length} members are to be updated first, for example ${first.name}.`)
}

/** Not failing yet, and not Ready either: the next wave does not open on a hope. */
function settling(scene: Scene): Finding {
  for (const group of [scene.own, scene.reached]) {
    const troubled = are(group, 'trouble')
    if (tolerated(troubled.length, are(group, 'ready', 'trouble').length)) continue
    return wait(scene, 'Settling', `${troubled.length} updated members are not Ready yet.${example(troubled)}`)
  }
  return undefined
}

/** An image that nobody runs has proved nothing. Where nobody is wanted running, nobody can prove it, or be hurt. */
function unproven(scene: Scene): Finding {
  const candidates = are(scene.reached, 'deferred', 'ready', 'trouble')
  const [first] = candidates
  if (first === undefined || are(candidates, 'ready').length > 0) return undefined
  return wait(
    scene,
    'Unproven',
    `No member runs the new image yet: ${candidates.length} are in use and get it at their next stop. Set spec.update to immediate on one of them, such as ${first.name}, to go on sooner.`,
  )
}

/** In the last wave the gates stay up until the members in use have been updated too. */
function finishing(scene: Scene): RolloutDecision {
  const deferred = are(scene.reached, 'deferred').length
  if (deferred === 0) return { kind: 'finish' }
  return wait(scene, 'Deferred', `${deferred} members are in use and get the new image at their next stop.`)
}

/**
 * A wave of customers never opens for nobody while there is somebody to come: in a small fleet the shares of 1 % and 5 %
 * are empty, and an unproven image would reach everybody at once.
 */
function advance({ rollout }: Scene, members: readonly Member[]): RolloutDecision {
  const wave = rollout.wave + 1
  const isShare = wave < lastWave && (waves[wave]?.share ?? 0) > 0
  if (!isShare || members.some((member) => member.wave === wave)) return { kind: 'advance' }
  const proof = ['now', 'later', 'never'] as const
  const rank = ({ uid, proves }: Member) => proof.indexOf(proves) + shareOf(uid, rollout.id)
  const [canary] = members.filter((member) => member.wave > wave).sort((a, b) => rank(a) - rank(b))
  return { kind: 'advance', canary: canary && { uid: canary.uid, name: canary.name } }
}

/** What to do next about a rollout that rolls. `members` are all tenants of the class that take part. */
export function planRollout(
  rollout: Rollout,
  members: readonly Member[],
  now: Instant,
  pace: RolloutPace,
): RolloutDecision {
  const reached = members.filter(({ wave }) => wave <= rollout.wave)
  const own = reached.filter(({ wave }) => wave === rollout.wave)
  const scene = { rollout, own, reached, now, pace }
  return (
    gateFailure(scene, own) ??
    gateFailure(scene, reached) ??
    baking(scene) ??
    updating(scene) ??
    settling(scene) ??
    unproven(scene) ??
    (rollout.wave < lastWave ? advance(scene, members) : finishing(scene))
  )
}
