// Where a guest host and the API processes that look for it meet: a private folder with a lock, a socket, a pid and a log.
import { createHash } from 'node:crypto'
import { chmodSync, lstatSync, mkdirSync, realpathSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'

/** A unix socket's path has room for about 104 bytes on macOS and 108 on Linux. */
const longestSocketPath = 100

export interface MeetingPlace {
  readonly folder: string
  readonly socket: string
  /** `{"pid":…}` of the host that lives, for people. */
  readonly pid: string
  /** Held by the host as long as it lives; the kernel lets go of it when the host dies, however that happens. */
  readonly lock: string
  readonly log: string
}

/** Makes a folder that only this user can enter, and refuses one that somebody else made. */
function privateFolder(folder: string): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const found = lstatSync(folder)
  if (!found.isDirectory() || (process.getuid !== undefined && found.uid !== process.getuid()))
    throw new Error(`${folder} is not a folder of this user's own`)
  if ((found.mode & 0o077) !== 0) chmodSync(folder, 0o700)
  return folder
}

/** The meeting place in a simulator's folder; a socket path that would be too long moves to the temporary folder. */
export function meetingPlace(simulatorFolder: string, kind: 'guests' | 'openclaw' = 'guests'): MeetingPlace {
  const folder = privateFolder(path.join(path.resolve(simulatorFolder), kind))
  const near = path.join(folder, 'host.sock')
  const name = createHash('sha256').update(realpathSync(folder)).digest('hex').slice(0, 24)
  const short = Buffer.byteLength(near) <= longestSocketPath
  return {
    folder,
    socket: short ? near : path.join(privateFolder(path.join(os.tmpdir(), `moorage-${name}`)), 'host.sock'),
    pid: path.join(folder, 'host.json'),
    lock: path.join(folder, 'host.lock'),
    log: path.join(folder, 'host.log'),
  }
}
