// The writer of the usage ledger: after each complete reading of the fleet it appends what is new. A quiet fleet costs no
// write. It may be killed anywhere: what it did not write it finds again in Fly's own record at the next reading.
import { parseName, type Naming } from '../../specs/names.ts'
import { Fault } from '../../specs/faults.ts'
import type { FleetReading, ObservedMachine, ObservedVolume } from '../observed.ts'
import {
  hasEnded,
  hasGap,
  machineGone,
  machineNews,
  volumeNews,
  type Known,
  type KnownMachine,
  type KnownVolume,
  type News,
  type SeenMachine,
} from './derive.ts'

export interface UsageStore {
  /** What has not ended, as the ledger knows it, and what lately was not to be found. */
  open(): Promise<readonly Known[]>
  /** Appends; an entry that is there already stays as it is. */
  append(news: readonly News[]): Promise<void>
}

/** Closer looks, by id. Each throws a Fault when Fly cannot be asked. */
export interface UsageSource {
  /** With the longest history that Fly tells, ended ones too; undefined where Fly knows nothing of it. */
  machine(id: string): Promise<SeenMachine | undefined>
  volume(id: string): Promise<ObservedVolume | undefined>
}

export interface UsageRecorderOptions {
  readonly store: UsageStore
  readonly source: UsageSource
  readonly naming: Naming
}

/** Closer looks in one sweep; the next reading goes on. */
const mostLooks = 25

/** What has to differ for a look to tell something new. */
function lineOf({ state, updatedAt, version, size }: ObservedMachine): string {
  return `${state} ${updatedAt} ${version} ${size?.cpuKind} ${size?.cpus} ${size?.memoryMb}`
}

/** Undefined: Fly could not be asked, so it is asked at the next reading. */
async function answered<T>(look: Promise<T>): Promise<{ readonly answer: T } | undefined> {
  try {
    return { answer: await look }
  } catch (error) {
    if (error instanceof Fault) return undefined
    throw error
  }
}

export class UsageRecorder {
  readonly #options: UsageRecorderOptions
  /** Undefined until the ledger has been read. */
  #known: Map<string, Known> | undefined
  #lines = new Map<string, string>()

  constructor(options: UsageRecorderOptions) {
    this.#options = options
  }

  /** Takes one reading. When it cannot be written, the next reading brings the same again. */
  async sweep(reading: FleetReading): Promise<void> {
    const known = (this.#known ??= new Map((await this.#options.store.open()).map((thing) => [thing.id, thing])))
    const looks = { left: mostLooks }
    const lines = new Map<string, string>()
    const news = [
      ...(await this.#machines(reading, known, lines, looks)),
      ...this.#volumes(reading, known),
      ...(await this.#vanished(reading, known, looks)),
    ]
    if (news.length > 0) await this.#options.store.append(news)
    this.#lines = lines
    for (const { known: next } of news) {
      // One that was only not to be found may be there again.
      if (hasEnded(next) && !('look' in next.last)) known.delete(next.id)
      else known.set(next.id, next)
    }
  }

  async #machines(
    { at, machines }: FleetReading,
    known: ReadonlyMap<string, Known>,
    lines: Map<string, string>,
    looks: { left: number },
  ): Promise<News[]> {
    const news: News[] = []
    for (const machine of machines) {
      const line = lineOf(machine)
      const before = known.get(machine.id) as KnownMachine | undefined
      const isQuiet = this.#lines.get(machine.id) === line && before !== undefined && !hasEnded(before)
      const seen = isQuiet ? machine : await this.#closer(before, machine, looks)
      if (seen === undefined) continue
      lines.set(machine.id, line)
      const found = isQuiet ? undefined : machineNews(before, seen, at)
      if (found !== undefined && isNews(before, found)) news.push(found)
    }
    return news
  }

  /** The machine, with a longer history where the list's may leave something out; undefined: not now. */
  async #closer(before: KnownMachine | undefined, machine: SeenMachine, looks: { left: number }) {
    if (!hasGap(before, machine)) return machine
    if (looks.left <= 0) return undefined
    looks.left -= 1
    const looked = await answered(this.#options.source.machine(machine.id))
    if (looked === undefined) return undefined
    return looked.answer === undefined ? machine : { ...looked.answer, uid: machine.uid }
  }

  #volumes({ at, volumes }: FleetReading, known: ReadonlyMap<string, Known>): News[] {
    return volumes.flatMap((volume) => {
      const uid = parseName(this.#options.naming, volume.name)?.uid ?? ''
      return volumeNews(known.get(volume.id) as KnownVolume | undefined, volume, uid, at) ?? []
    })
  }

  /** What the list does not show: a list may be wrong, so each is asked for by its id. */
  async #vanished({ at, machines, volumes }: FleetReading, known: ReadonlyMap<string, Known>, looks: { left: number }) {
    const shown = new Set([...machines, ...volumes].map(({ id }) => id))
    const news: News[] = []
    for (const thing of known.values()) {
      if (shown.has(thing.id) || hasEnded(thing) || looks.left <= 0) continue
      looks.left -= 1
      const found = thing.kind === 'machine' ? await this.#lostMachine(thing, at) : await this.#lostVolume(thing, at)
      if (found !== undefined) news.push(found)
    }
    return news
  }

  async #lostMachine(known: KnownMachine, at: number): Promise<News | undefined> {
    const looked = await answered(this.#options.source.machine(known.id))
    if (looked === undefined) return undefined
    if (looked.answer === undefined) return machineGone(known, at)
    const { uid, region } = known
    const found = machineNews(known, { ...looked.answer, uid, region }, at)
    return found !== undefined && isNews(known, found) ? found : undefined
  }

  async #lostVolume(known: KnownVolume, at: number): Promise<News | undefined> {
    const looked = await answered(this.#options.source.volume(known.id))
    if (looked === undefined) return undefined
    const gone = { id: known.id, region: known.region, sizeGb: 0, createdAt: 0, state: 'leaving' } as const
    return volumeNews(known, looked.answer ?? gone, known.uid, at)
  }
}

/** Whether a look added anything: Fly's `updated_at` alone moves with metadata too, and is not worth a write. */
function isNews(before: KnownMachine | undefined, news: News): boolean {
  if (before === undefined || news.known.kind === 'volume') return true
  const { last, toldTo, size, uid } = news.known
  const moved = last.at !== before.last.at || last.state !== before.last.state || toldTo !== before.toldTo
  return moved || size !== before.size || uid !== before.uid
}
