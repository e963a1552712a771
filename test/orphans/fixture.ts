// A living fleet with orphan search over it, and resources that nobody owns.
import type { ExecutionContext } from 'ava'
import { metadataKeys } from '../../specs/names.ts'
import type { OrphanRecord, OrphanStore } from '../../reconciler/orphans/orphan.ts'
import { OrphanSearch } from '../../reconciler/orphans/search.ts'
import type { LedgerEntry } from '../../reconciler/guards/view.ts'
import { orphansIn } from '../../src/store/orphans.ts'
import { ownersIn } from '../../src/store/owners.ts'
import { fleet, type Fleet } from '../helpers/living-fleet.ts'
import { image, guest } from '../sim/fixture.ts'

export const strangeUid = 'zzzzzzzzzzzzzzzz'
const minuteMs = 60_000
export const dayMs = 86_400_000

export interface Searched extends Fleet {
  readonly orphans: OrphanStore
  readonly charged: LedgerEntry[]
  /** Reads the fleet and sweeps, as often as said, a minute apart. */
  sweep(times?: number): Promise<void>
  orphan(id: string): Promise<OrphanRecord | undefined>
  /** A machine as one of ours looks, with whatever uid; answers its id. */
  machine(uid: string, name?: string, metadata?: Record<string, string>): Promise<string>
  volume(name: string): Promise<string>
  stateOf(id: string): Promise<string>
  metadataOf(id: string): Promise<Record<string, string>>
}

export async function searched(t: ExecutionContext, names: readonly string[] = []): Promise<Searched> {
  const it = await fleet(t)
  for (const name of names) await it.add(name)
  await it.converge()
  const { api, ports, db } = it
  const [orphans, charged] = [orphansIn(db), [] as LedgerEntry[]]
  const search = new OrphanSearch({
    ...ports,
    orphans,
    owners: ownersIn(db),
    orphanSettings: { ageFloorMs: 10 * minuteMs, holdMs: 14 * dayMs },
    guards: { ...ports.guards, view: () => ({ ...ports.guards.view(), ledger: charged }) },
    charge: async (entry) => void charged.push(entry),
  })
  return {
    ...it,
    orphans,
    charged,
    sweep: async (times = 1) => {
      for (let count = 0; count < times; count += 1) {
        it.later(minuteMs)
        await search.sweep(await ports.cloud.fleet())
      }
    },
    orphan: (id) => orphans.get(id),
    machine: async (uid, name = `kc-test-${uid}-1`, metadata = {}) => {
      const ours = { [metadataKeys.environment]: 'test', [metadataKeys.uid]: uid, [metadataKeys.incarnation]: '1' }
      const config = { image, guest, metadata: { ...ours, ...metadata } }
      const { body } = await api('POST', '/apps/app/machines', { name, region: 'iad', config })
      await api('GET', `/apps/app/machines/${body.id}/wait?timeout=5`)
      return body.id
    },
    volume: async (name) => (await api('POST', '/apps/app/volumes', { name, region: 'iad', size_gb: 1 })).body.id,
    stateOf: async (id) => {
      const where = id.startsWith('vol_') ? 'volumes' : 'machines'
      return (await api('GET', `/apps/app/${where}/${id}`)).body.state
    },
    metadataOf: async (id) =>
      (await api('GET', `/apps/app/machines/${id}/metadata`)).body as unknown as Record<string, string>,
  }
}

/** Long enough for everything that exists to have grown up. */
export const grownMs = 15 * minuteMs
