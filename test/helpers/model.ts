// A model of what Fly holds for one tenant, small enough to be walked through exhaustively. What steps and time do to it
// is the forecast's own knowledge (reconciler/effects.ts); here are only short names for what is in it.
import {
  effectOf,
  observationOf,
  timePasses,
  type ForecastWorld,
  type Making,
  type Source,
} from '../../reconciler/effects.ts'
import type { Created } from '../../reconciler/execute.ts'
import type { Observed, ObservedMachine, ObservedSnapshot, ObservedVolume } from '../../reconciler/observed.ts'
import type { Step } from '../../reconciler/step.ts'
import type { Wish } from '../../reconciler/decision.ts'
import type { Tenant } from '../../specs/tenant.ts'
import { stampOf, uid } from './tenants.ts'

export type { Source }

type Writable<T> = { -readonly [K in keyof T]: T[K] }

export type ModelWorld = Writable<Omit<ForecastWorld, 'volumes' | 'machines' | 'created' | 'snapshots'>> & {
  volumes: ObservedVolume[]
  machines: ObservedMachine[]
  created: string[]
  snapshots: ObservedSnapshot[]
}

/** A world with nothing in it. */
export function emptyWorld(part: Partial<ModelWorld> = {}): ModelWorld {
  return {
    app: 'absent',
    volumes: [],
    machines: [],
    certificates: {},
    guest: { kind: 'unknown' },
    snapshots: [],
    boots: 0,
    created: [],
    ...part,
  }
}

export function modelMachine({
  specHash = 'wanted',
  ...part
}: Partial<ObservedMachine> & { readonly specHash?: string }): ObservedMachine {
  return {
    id: `m${part.incarnation ?? 1}`,
    name: `kc-test-${uid}-${part.incarnation ?? 1}`,
    uid,
    incarnation: 1,
    state: 'started',
    version: 'v1',
    region: 'iad',
    address: '127.1.1.1',
    metadata: stampOf(specHash),
    contentHash: specHash,
    mount: 'vol_1',
    hostOk: true,
    createdAt: 0,
    updatedAt: 0,
    ...part,
  }
}

export function modelVolume(part: Partial<ObservedVolume>): ObservedVolume {
  return {
    id: 'vol_1',
    name: `kc_tes_${uid}_001`,
    state: 'ready',
    sizeGb: 1,
    region: 'iad',
    attachedMachine: undefined,
    usedBytes: 0,
    createdAt: 0,
    ...part,
  }
}

/** Everything that changes by itself moves on by one state. */
export function passTime(world: ModelWorld): ModelWorld {
  return timePasses(world) as ModelWorld
}

const wantedSource: Source = { metadata: stampOf('wanted'), contentHash: 'wanted' }

const making = (source: Source, now: number): Making => ({
  now,
  source,
  volume: ({ name, sizeGb }, { created }) =>
    modelVolume({ id: `vol_${created.length + 100}`, name, state: 'creating', sizeGb }),
  machine: ({ name, incarnation }) => modelMachine({ incarnation, name, state: 'created' }),
})

/** What Fly does with one step. */
export function applyStep(
  world: ModelWorld,
  step: Step,
  from: Source = wantedSource,
  now = 0,
): { world: ModelWorld; created: Created } {
  const { world: next, created } = effectOf(world, step, making(from, now))
  return { world: next as ModelWorld, created }
}

/** What an observation shows of the world: reads by id where there is a record, lists only where a create is open. */
export function observeModel(world: ModelWorld, tenant: Tenant, wish: Wish): Observed {
  return observationOf(world, tenant, wish)
}
