// Worlds to begin with: tenants that have converged are made once and then copied, because many scenarios begin so.
import { rm } from 'node:fs/promises'
import type { PlatformSettings } from '../../../reconciler/ports.ts'
import { hash } from '../../../src/sim/latency.ts'
import { createTenant, type Cast } from './actions.ts'
import { openDatabase, type Database } from './database.ts'
import { allRest } from './rest.ts'
import { readDuration, type Scenario } from './schema.ts'
import { openStage, type SavedStage, type Stage, type StageOptions } from './stage.ts'

type Given = Scenario['given']

interface SavedWorld {
  readonly stage: SavedStage
  readonly uids: ReadonlyMap<string, string>
}

/** One database and the worlds that were made in it, for scenarios one after the other. */
export interface Theatre {
  readonly database: Database
  readonly worlds: Map<string, SavedWorld>
  close(): Promise<void>
}

export async function openTheatre(): Promise<Theatre> {
  const database = await openDatabase()
  const worlds = new Map<string, SavedWorld>()
  return {
    database,
    worlds,
    close: async () => {
      for (const { stage } of worlds.values()) await rm(stage.folder, { recursive: true, force: true })
      await database.close()
    },
  }
}

function settingsOf({ settings }: Given): Partial<PlatformSettings> {
  const read = (value: number | string) => (typeof value === 'string' ? (readDuration(value) ?? value) : value)
  return Object.fromEntries(Object.entries(settings).map(([key, value]) => [key, read(value)]))
}

function namesOf({ tenants }: Given): readonly string[] {
  if (typeof tenants !== 'number') return tenants
  return Array.from({ length: tenants }, (_none, index) => `t${String(index + 1).padStart(2, '0')}`)
}

async function createAll(stage: Stage, given: Given): Promise<Cast> {
  const cast: Cast = { uids: new Map(), kept: new Map() }
  // The first list is on its way.
  await stage.finish()
  for (const name of namesOf(given)) await createTenant(stage, cast, name, given.spec)
  return cast
}

async function mustRest(stage: Stage, cast: Cast): Promise<void> {
  if (!(await stage.until(allRest(stage, cast, new Map()), 3_600_000)))
    throw new Error('the tenants that are given do not come to rest within an hour')
}

async function converged(theatre: Theatre, given: Given, options: StageOptions): Promise<SavedWorld> {
  const { spec, tenants, settings, app } = given
  const key = JSON.stringify({ spec, tenants, settings, app })
  const known = theatre.worlds.get(key)
  if (known !== undefined) return known
  const stage = await openStage({ ...options, seed: hash(key), mode: 'normal', resyncEveryMs: 60_000 })
  const cast = await createAll(stage, given)
  await mustRest(stage, cast)
  const world = { stage: await stage.save(), uids: cast.uids }
  theatre.worlds.set(key, world)
  return world
}

/** A stage with the world that is given. */
export async function setStage(
  theatre: Theatre,
  given: Given,
  { seed, log }: Pick<StageOptions, 'seed' | 'log'>,
): Promise<{ readonly stage: Stage; readonly cast: Cast }> {
  const options: StageOptions = {
    database: theatre.database,
    seed,
    withApp: given.app === 'present',
    resyncEveryMs: given.resyncEvery,
    mode: given.mode,
    settings: settingsOf(given),
    log,
  }
  if (!given.converged) {
    const stage = await openStage(options)
    return { stage, cast: await createAll(stage, given) }
  }
  const world = await converged(theatre, given, options)
  const stage = await openStage({ ...options, from: world.stage })
  const cast: Cast = { uids: new Map(world.uids), kept: new Map() }
  // A controller that has just started looks at everybody.
  await mustRest(stage, cast)
  return { stage, cast }
}
