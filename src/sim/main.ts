// The simulator as a process: settings from the environment, one line of JSON when it is ready, a clean stop.
import { join } from 'node:path'
import { realClock } from '../clock.ts'
import { connectGuestHost } from './guest/connect.ts'
import type { GuestHost } from './guest-host.ts'
import { openclawFrom } from './openclaw/host.ts'
import { type Sim, startSim } from './server.ts'

interface Settings {
  readonly port: number
  readonly folder: string
  readonly scale: number
  readonly seed: number
  readonly bootstrapApp: { readonly name: string; readonly org: string } | undefined
}

const say = (sentence: string): unknown => process.stderr.write(`${sentence}\n`)

function numberFrom(name: string, usual: number, least: number, most: number): number {
  const text = process.env[name]
  const value = text === undefined || text === '' ? usual : Number(text)
  if (!Number.isFinite(value) || value < least || value > most)
    throw new Error(`${name} has to be a number from ${least} to ${most}.`)
  return value
}

function settings(): Settings {
  const name = process.env['FLY_APP']
  const org = process.env['FLY_ORG'] ?? 'personal'
  return {
    port: numberFrom('MOORAGE_FLY_PORT', 7090, 0, 65_535),
    folder: join(process.env['MOORAGE_DATA'] ?? '.moorage', 'fly'),
    scale: numberFrom('MOORAGE_SIM_SCALE', 1, 0, 100),
    seed: numberFrom('MOORAGE_SIM_SEED', 1, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    bootstrapApp: name === undefined || name === '' ? undefined : { name, org },
  }
}

/** Ends the process once: the API first, then the machines, or with `keep` the API alone. */
function stopper(sim: Sim, guests: GuestHost): (keep: boolean) => void {
  let stopping = false
  return (keep) => {
    if (stopping) return
    stopping = true
    const stop = async (): Promise<void> => {
      await sim.close()
      await (keep ? guests.release() : guests.close())
    }
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        say(`The simulator did not stop cleanly: ${String(error)}`)
        process.exit(1)
      },
    )
  }
}

/** Whoever started us may be gone, and its end of our output with it; that must not keep us from a clean stop. */
function outliveReaders(): void {
  for (const output of [process.stdout, process.stderr])
    output.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
    })
}

async function run(): Promise<void> {
  outliveReaders()
  const { port, folder, scale, seed, bootstrapApp } = settings()
  const openclaw = openclawFrom(process.env)
  const guests = await connectGuestHost({ folder, clock: realClock, ...(openclaw === undefined ? {} : { openclaw }) })
  let sim: Sim
  try {
    const extra = bootstrapApp === undefined ? {} : { bootstrapApp }
    sim = await startSim({ folder, port, scale, seed, clock: realClock, guests, log: say, ...extra })
  } catch (error) {
    // The guests may be those of another simulator that is at work: they are left as they are.
    await guests.release()
    throw error
  }
  const stop = stopper(sim, guests)
  process.on('SIGTERM', () => stop(false))
  process.on('SIGINT', () => stop(false))
  process.on('SIGUSR2', () => stop(true))
  if (process.send !== undefined) {
    // Whoever started this was killed: machines outlive a controller, on Fly too.
    process.on('disconnect', () => stop(true))
    if (!process.connected) stop(true)
  }
  process.stdout.write(`${JSON.stringify({ ready: true, url: sim.url, pid: process.pid })}\n`)
}

run().catch((error: unknown) => {
  say(error instanceof Error ? error.message : String(error))
  process.exit(1)
})
