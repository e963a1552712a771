// The guest host: a process of its own that holds all guests of one simulator folder, so that machines run on while the API
// process is killed and started again, as on Fly. Started by connect.ts: `node host.ts <folder> <idle ms> [settings]`.
import { writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { meetingPlace } from './folder.ts'
import { openclawGuestHost, type OpenclawSettings } from '../openclaw/host.ts'
import { localGuestHost } from './local.ts'
import { serveGuests } from './serve.ts'

const log = (line: string) => void process.stderr.write(`${new Date().toISOString()} ${line}\n`)

/**
 * Takes the folder's lock: SQLite's, because the kernel releases it with the process, even after kill -9.
 *
 * Nobody waits for it: who is told off comes back if it is still needed, so no host turns up late that nobody wants.
 *
 * @throws {Error} when another host holds it
 */
function takeLock(file: string): DatabaseSync {
  const lock = new DatabaseSync(file, { timeout: 0 })
  lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  return lock
}

async function main(folder: string, idleMs: number, openclaw: OpenclawSettings | undefined): Promise<void> {
  const place = meetingPlace(folder, openclaw === undefined ? 'guests' : 'openclaw')
  const lock = takeLock(place.lock)
  const guests = openclaw === undefined ? localGuestHost() : openclawGuestHost(openclaw)
  const served = await serveGuests({ socket: place.socket, guests, idleMs, log })
  writeFileSync(place.pid, `${JSON.stringify({ pid: process.pid })}\n`, { mode: 0o600 })
  log(`guest host ${process.pid} is ready`)
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void served.end(signal))
  await served.ended
  lock.close()
  log(`guest host ${process.pid} has ended`)
}

const [, , folder, idleMs, openclaw] = process.argv
if (folder === undefined) throw new Error('usage: host.ts <folder> <idle ms> [what the machines run, in JSON]')
await main(folder, Number(idleMs), openclaw === undefined ? undefined : (JSON.parse(openclaw) as OpenclawSettings))
process.exit(0)
