// Fly as a process uses it: the real one, or the simulator that is started beside it.
import type { Logger } from 'pino'
import type { Cloud } from '../reconciler/ports.ts'
import { realClock } from './clock.ts'
import type { Config } from './config.ts'
import { flyClient, type FlyClient, type FlyClientOptions } from './fly/client.ts'
import { flyCloud } from './fly/cloud.ts'
import { startSimProcess } from './sim-process.ts'
import type { Stack } from './stack.ts'

const flyUrl = 'https://api.machines.dev'
/** How long a question may take. */
export const readTimeoutMs = 10_000

/** The base URL and token of Fly: the real one, or the simulator that is started here. */
export async function openFly(config: Config, stack: Stack, log: Logger) {
  const { token, baseUrl } = config.fly
  if (token !== undefined) return { url: baseUrl ?? flyUrl, token, simulated: false }
  const sim = await startSimProcess({
    port: config.flyPort,
    data: config.data,
    scale: config.scale,
    seed: config.simSeed,
    ...{ guest: config.guest, guestCache: config.guestCache, llmBaseUrl: config.llmBaseUrl },
    notice: (sentence) => log.warn(sentence),
  })
  stack.add('simulated Fly', () => sim.close())
  return { url: sim.url, token: 'simulated', simulated: true }
}

type FlyAccess = Pick<FlyClientOptions, 'token' | 'log' | 'spans'> & { readonly url: string }

export function openClient({ scale }: Config, { url, ...access }: FlyAccess): FlyClient {
  const limits = scale === 0 ? ('off' as const) : { rate: 1 / scale }
  return flyClient({ ...access, baseUrl: url, clock: realClock, timeoutMs: readTimeoutMs, limits })
}

export function openCloud({ fly, prefix, environment, retainDays }: Config, client: FlyClient): Cloud {
  const { app, org } = fly
  return flyCloud({ client, app, org, naming: { prefix, environment }, retainDays, clock: realClock })
}
