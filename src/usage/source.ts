// A closer look at one machine or volume for the usage ledger, over the Fly client.
import { machineState } from '../../reconciler/observed.ts'
import type { UsageSource } from '../../reconciler/usage/recorder.ts'
import type { Cloud } from '../../reconciler/ports.ts'
import { Fault } from '../../specs/faults.ts'
import type { FlyClient } from '../fly/client.ts'
import { instant, sizeOf, stateChanges } from '../fly/observed.ts'

/** The most that Fly tells (Machines API, `events?limit=`). */
const mostEvents = 50

/** The looks; ended machines too, for as long as Fly knows them. */
export function usageSource(client: FlyClient, app: string, cloud: Pick<Cloud, 'volume'>): UsageSource {
  return {
    volume: (id) => cloud.volume(id),
    machine: async (id) => {
      try {
        const [machine, events] = await Promise.all([
          client.machineGet(app, id),
          client.machineEvents(app, id, mostEvents),
        ])
        const { region, state, created_at: createdAt, updated_at: updatedAt } = machine
        return {
          id,
          uid: '',
          region,
          state: state === 'destroyed' ? state : machineState(state),
          createdAt: instant(createdAt),
          updatedAt: instant(updatedAt),
          size: sizeOf(machine),
          changes: stateChanges(events),
        }
      } catch (error) {
        if (error instanceof Fault && error.kind === 'notFound') return undefined
        throw error
      }
    },
  }
}
