// What the last complete list of the fleet showed, as a hint for single passes: which machines carry whose uid.
import type { FleetReading } from './observed.ts'

export class FleetMemory {
  #machines: ReadonlyMap<string, readonly string[]> = new Map()

  take({ machines }: FleetReading): Promise<void> {
    this.#machines = new Map(
      Object.entries(Object.groupBy(machines, ({ uid }) => uid)).map(([uid, found = []]) => [
        uid,
        found.map(({ id }) => id),
      ]),
    )
    return Promise.resolve()
  }

  /** The ids of the machines that the list showed for a uid. */
  idsOf(uid: string): readonly string[] {
    return this.#machines.get(uid) ?? []
  }
}
