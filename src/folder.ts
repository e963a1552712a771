// The data folder: private to its owner, with the few small files that must exist once and stay secret.
import { chmodSync, mkdirSync, readFileSync, writeFileSync, linkSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'

/** Makes the folder, or makes an existing one private (mode 0700). */
export function openFolder(path: string): string {
  mkdirSync(path, { recursive: true, mode: 0o700 })
  chmodSync(path, 0o700)
  return path
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/**
 * The content of a secret file of mode 0600, made by `make` the first time. Written whole and then linked into place, so
 * that a crash half-way, or two processes at once, never leave two secrets or half of one.
 */
export function secretFile(folder: string, name: string, make: () => string): string {
  const path = join(folder, name)
  const known = read(path)
  if (known !== undefined && known !== '') return known
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, `${make()}\n`, { mode: 0o600, flush: true })
  try {
    linkSync(draft, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    unlinkSync(draft)
  }
  const written = read(path)
  if (written === undefined || written === '')
    throw new Error(`The secret file ${path} is empty: remove it and start again.`)
  return written
}
