// The guest host whose machines run the real OpenClaw, and what it needs to be told.
import type { GuestHost } from '../guest-host.ts'
import { guestHostOf } from '../guest/local.ts'
import { cacheFolder, guestCache, isInstalled } from './cache.ts'
import { outletTo } from './doors.ts'
import { OpenclawMachine } from './machine.ts'

export interface OpenclawSettings {
  readonly cache: string
  /** What the machines may reach outside: the LLM proxy. */
  readonly llmBaseUrl: string
}

/**
 * Of the environment, the settings of machines that really run; undefined where stand-ins are wanted.
 *
 * @throws {Error} with what to do, when this computer cannot run them
 */
export function openclawFrom(env: NodeJS.ProcessEnv): OpenclawSettings | undefined {
  if (env['MOORAGE_GUEST'] !== 'openclaw') return undefined
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    throw new Error(
      'MOORAGE_GUEST=openclaw needs Linux and root: machines are namespaces with an overlay as their root.',
    )
  const cache = cacheFolder(env)
  if (!isInstalled(guestCache(cache))) throw new Error(`OpenClaw is not in ${cache}: run npm run guest:install first.`)
  return { cache, llmBaseUrl: env['MOORAGE_LLM_BASE_URL'] ?? 'http://llm-proxy.internal:4000/v1' }
}

/** Each machine is a process group in namespaces of its own, and ends with this process. */
export function openclawGuestHost({ cache, llmBaseUrl }: OpenclawSettings): GuestHost {
  const options = { cache: guestCache(cache), outlets: [outletTo(llmBaseUrl)] }
  return guestHostOf((start) => OpenclawMachine.boot(start, options))
}
