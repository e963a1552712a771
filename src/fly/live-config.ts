// A machine's configuration as Fly shows it, with its secrets, for comparing it with the wanted one: never log it.
import type { LiveConfig } from '../../boot/machine.ts'
import { Fault } from '../../specs/faults.ts'
import type { FlyClient } from './client.ts'

/** Reads by id; undefined where there is no such machine, or where Fly cannot show its configuration now. */
export function liveConfigIn(client: FlyClient, app: string): (id: string) => Promise<LiveConfig | undefined> {
  return async (id) => {
    try {
      const { config } = await client.machineGet(app, id)
      return config
    } catch (error) {
      if (error instanceof Fault && error.kind === 'notFound') return undefined
      throw error
    }
  }
}
