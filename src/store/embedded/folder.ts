// The folder of the embedded store: private to its owner, with a socket whose path is short enough for the system.
import { createHash } from 'node:crypto'
import { chmodSync, lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

export interface Paths {
  /** The SQLite file. */
  readonly file: string
  readonly socket: string
  /** Names the process that holds the folder; only for messages, the lock is SQLite's. */
  readonly owner: string
  /** The folder of the socket where that is another one. */
  readonly socketFolder: string | undefined
}

/** sun_path holds 104 bytes on macOS and 108 on Linux. */
const maxSocketBytes = 100

/**
 * Creates the folder with mode 0700 (and narrows one of ours that is wider) and, where its path is too long for a socket,
 * a second one under the system's folder for temporary files. Throws when either belongs to someone else.
 */
export function preparePaths(folder: string): Paths {
  const home = resolve(folder)
  mkdirSync(home, { recursive: true, mode: 0o700 })
  checkOurs(home)
  chmodSync(home, 0o700)
  const direct = join(home, 'mongo.sock')
  const paths = { file: join(home, 'moorage.sqlite'), owner: join(home, 'owner.json') }
  if (Buffer.byteLength(direct) <= maxSocketBytes) return { ...paths, socket: direct, socketFolder: undefined }
  const socketFolder = shortFolder(home)
  return { ...paths, socket: join(socketFolder, 'mongo.sock'), socketFolder }
}

/** Everyone can write to the temporary folder, so one that is there already must be ours alone to be trusted. */
function shortFolder(home: string): string {
  const hash = createHash('sha256').update(home).digest('hex').slice(0, 20)
  const path = join(tmpdir(), `moorage-${hash}`)
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
  const mode = checkOurs(path)
  if ((mode & 0o077) !== 0) throw new Error(`${path} is open to other users; remove it or set its mode to 0700`)
  return path
}

/** Answers the mode. A link is refused too: it might point where others can write. */
function checkOurs(path: string): number {
  const stats = lstatSync(path)
  if (!stats.isDirectory()) throw new Error(`${path} is not a folder`)
  if (process.getuid !== undefined && stats.uid !== process.getuid()) {
    throw new Error(`${path} belongs to another user (uid ${stats.uid})`)
  }
  return stats.mode
}

export function writeOwner(path: string): void {
  writeFileSync(path, JSON.stringify({ pid: process.pid }), { mode: 0o600 })
}

/** The process that wrote its name last, for the message to whom comes second. */
export function readOwner(path: string): string {
  try {
    const content: unknown = JSON.parse(readFileSync(path, 'utf8'))
    const pid = typeof content === 'object' && content !== null && 'pid' in content ? Number(content.pid) : NaN
    return Number.isInteger(pid) ? `process ${pid}` : 'another process'
  } catch (error) {
    return `another process (unknown: ${error instanceof Error ? error.message : String(error)})`
  }
}

/** Leaves nothing behind but the data. */
export function removePaths({ socket, owner, socketFolder }: Paths): void {
  rmSync(socket, { force: true })
  rmSync(owner, { force: true })
  if (socketFolder !== undefined) rmSync(socketFolder, { recursive: true, force: true })
}
