// Builders for rollouts: classes, records and members as short as a test wants to write them.
import type { StoredClass } from '../../specs/class.ts'
import type { Rollout } from '../../specs/rollout.ts'
import type { Member, Standing } from '../../reconciler/rollout/members.ts'
import { standard } from './tenants.ts'

export const minuteMs = 60_000

export const imageWith = (letter: string) => `ghcr.io/openclaw/openclaw@sha256:${letter.repeat(64)}`
export const oldImage = imageWith('a')
export const newImage = imageWith('b')

/** A class in the middle of a rollout. */
export function classWith(part: Partial<StoredClass> = {}): StoredClass {
  return {
    kind: 'Class',
    name: 'standard',
    uid: 'classuid',
    spec: { ...standard, image: newImage },
    stable: oldImage,
    rollout: { id: 'r1', startedAt: 0 },
    generation: 2,
    revision: 2,
    createdAt: 0,
    ...part,
  }
}

export function rolloutWith(part: Partial<Rollout> = {}): Rollout {
  return {
    id: 'r1',
    class: 'standard',
    from: oldImage,
    to: newImage,
    wave: 2,
    waveSince: 0,
    canaries: [],
    state: 'rolling',
    reason: 'Opened',
    message: '',
    hurried: false,
    counts: [],
    startedAt: 0,
    history: [],
    revision: 1,
    ...part,
  }
}

/** `count` members of one wave. */
export function membersWith(count: number, standing: Standing, part: Partial<Member> = {}): Member[] {
  return Array.from({ length: count }, (_, index) => {
    const uid = `${standing.kind}${part.wave ?? 2}-${part.crashes ?? 0}-${index}`
    return { uid, name: uid, wave: 2, proves: 'later', crashes: 0, ...part, standing }
  })
}

export const troubleSince = (since: number): Standing => ({
  kind: 'trouble',
  updated: true,
  since,
  said: 'The gateway in the machine is starting.',
})
