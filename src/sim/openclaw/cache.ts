// Where the real OpenClaw lies on this computer: a folder that `npm run guest:install` fills, laid out as in the stock image.
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'

/** Pinned: another version has another configuration schema and another state schema. */
export const openclawVersion = '2026.9.6'
/** It needs Node from 24.16 on. */
export const nodeVersion = '24.21.0'

export interface GuestCache {
  readonly folder: string
  /** The image's `/app`. */
  readonly app: string
  /** The image's `/usr/local/bin/node`. */
  readonly node: string
}

export function guestCache(folder: string): GuestCache {
  const node = path.join(folder, 'node', 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node')
  return { folder, app: path.join(folder, 'app'), node }
}

/** Whether this very version is there, whole: the file that says so is written last. */
export function isInstalled({ folder, app, node }: GuestCache): boolean {
  const mark = path.join(folder, 'installed')
  const said = existsSync(mark) ? readFileSync(mark, 'utf8').trim() : ''
  return said === `${openclawVersion} ${nodeVersion}` && existsSync(path.join(app, 'openclaw.mjs')) && existsSync(node)
}

/** Of `MOORAGE_GUEST_CACHE` and the data folder, the cache's folder. */
export function cacheFolder(env: NodeJS.ProcessEnv): string {
  const { MOORAGE_GUEST_CACHE: own, MOORAGE_DATA: data } = env
  return path.resolve(own !== undefined && own !== '' ? own : path.join(data ?? '.moorage', 'guest'))
}
