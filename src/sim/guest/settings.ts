// The stand-in gateway's configuration file: taken over from the environment as the boot script does it, and read again
// whenever it was replaced.
import { chmodSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'

export type Settings = Readonly<Record<string, unknown>>

/** The guest's process ended by itself, as it would on Fly; codes as in boot/start.sh. */
export class GuestExit extends Error {
  override readonly name = 'GuestExit'
  readonly exitCode: number
  constructor(exitCode: number, message: string) {
    super(`the guest ended with code ${exitCode}: ${message}`)
    this.exitCode = exitCode
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The object that the text is, or undefined: for text that others wrote, where broken is an ordinary case. */
function parsed(text: string): Settings | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** A file that is not there or cannot be read counts as none, as it does for the real gateway's reload. */
const isFileFault = (error: unknown) => error instanceof Error && 'code' in error

function read(file: string): Settings | undefined {
  try {
    return parsed(readFileSync(file, 'utf8'))
  } catch (error) {
    if (isFileFault(error)) return undefined
    throw error
  }
}

/** Which writing of the file this is: a rename gives it another inode. */
function versionOf(file: string): string | undefined {
  try {
    const { ino, mtimeMs, size } = statSync(file)
    return `${ino} ${mtimeMs} ${size}`
  } catch (error) {
    if (isFileFault(error)) return undefined
    throw error
  }
}

/**
 * Writes the configuration from OPENCLAW_CONFIG_B64 beside the file and renames it into place; a broken one leaves the file
 * that is there.
 *
 * @throws {GuestExit} 65 when neither can be used
 */
export function takeOver(encoded: string | undefined, folder: string): string {
  const file = path.join(folder, 'openclaw.json')
  const wanted = parsed(Buffer.from(encoded ?? '', 'base64').toString('utf8'))
  if (wanted === undefined && read(file) === undefined) throw new GuestExit(65, 'there is no usable configuration')
  if (wanted === undefined) return file
  mkdirSync(folder, { recursive: true })
  writeFileSync(`${file}.tmp`, JSON.stringify(wanted, null, 2), { mode: 0o600 })
  chmodSync(`${file}.tmp`, 0o600)
  renameSync(`${file}.tmp`, file)
  return file
}

/** The file's present content, looked at anew when the file was replaced; a broken replacement leaves the last good one. */
export function liveSettings(file: string): () => Settings {
  let version: string | undefined
  let present: Settings = {}
  return () => {
    const found = versionOf(file)
    if (found !== undefined && found !== version) {
      version = found
      present = read(file) ?? present
    }
    return present
  }
}

/** The value at a path of keys, undefined when something on the way is missing. */
export function setting(settings: Settings, ...keys: readonly string[]): unknown {
  return keys.reduce<unknown>((value, key) => (isObject(value) ? value[key] : undefined), settings)
}
