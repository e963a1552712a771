// Which image the fleet's own machines run, class by class: a rebuilt database has the shipped classes again, whose image
// may be another than the one that was last rolled out. Pure.
import { metadataKeys } from '../../specs/names.ts'
import { readRecord } from '../../specs/record.ts'
import type { SurveyedMachine } from '../observed.ts'

/** The class of a machine whose tenant takes its class's image. */
function classOf({ metadata }: SurveyedMachine): string | undefined {
  const record = readRecord(metadata[metadataKeys.record] ?? '')
  return record === undefined || record.spec.image !== undefined ? undefined : record.spec.class
}

/** The image that most machines of each class run; of two that are equally many, the first in the alphabet. */
export function imagesIn(machines: readonly SurveyedMachine[]): ReadonlyMap<string, string> {
  const counts = new Map<string, Map<string, number>>()
  for (const machine of machines) {
    const name = classOf(machine)
    if (name === undefined || machine.image === undefined) continue
    const images = counts.get(name) ?? new Map<string, number>()
    counts.set(name, images.set(machine.image, (images.get(machine.image) ?? 0) + 1))
  }
  const most = (images: ReadonlyMap<string, number>) =>
    [...images].sort(([a, many], [b, more]) => more - many || (a < b ? -1 : 1))[0]?.[0]
  return new Map(
    [...counts].flatMap(([name, images]) => (most(images) === undefined ? [] : [[name, most(images) ?? '']])),
  )
}
