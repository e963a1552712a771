// The stand-in gateway's part in its machine's sleep, as OpenClaw's: it takes nothing new from `gateway.suspend.prepare` until
// it is resumed or two minutes have passed. What its user made of it stands in a file on the volume.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { randomBytes } from 'node:crypto'
import { z } from 'zod'

const leaseMs = 120_000
const retryAfterMs = 5_000

/** `state/stand-in.json` on the volume, for trying out: jobs and channels as OpenClaw shows them, and what is running. */
const life = z.object({
  jobs: z.array(z.looseObject({})).default([]),
  channelAccounts: z.record(z.string(), z.array(z.looseObject({}))).default({}),
  blockers: z.array(z.string()).default([]),
})

export type SleepReply =
  | { readonly ok: true; readonly payload: unknown }
  | { readonly ok: false; readonly code: 'UNAVAILABLE'; readonly message: string }

interface Held {
  readonly request: unknown
  readonly suspensionId: string
  readonly expiresAtMs: number
}

export interface Sleeping {
  /** Whether it takes nothing new. */
  held(): boolean
  /** The answer to one of the calls around a sleep; undefined: it is none of these. */
  answer(method: string, params: Readonly<Record<string, unknown>>): SleepReply | undefined
}

function lifeOn(folder: string): z.infer<typeof life> {
  try {
    return life.parse(JSON.parse(readFileSync(path.join(folder, 'state', 'stand-in.json'), 'utf8')))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return life.parse({})
    throw error
  }
}

const said = (payload: unknown): SleepReply => ({ ok: true, payload })

/** @param now Epoch milliseconds. */
export function sleepingOn(folder: string, now: () => number): Sleeping {
  let lease: Held | undefined
  const current = () => (lease !== undefined && now() < lease.expiresAtMs ? lease : undefined)

  function prepare({ requestId: request, drain }: Readonly<Record<string, unknown>>): unknown {
    const held = current()
    if (held !== undefined && held.request !== request) return { status: 'conflict', expiresAtMs: held.expiresAtMs }
    const { blockers } = lifeOn(folder)
    if (blockers.length > 0 && drain !== true) return { status: 'busy', reason: 'active-work', retryAfterMs, blockers }
    const suspensionId = held?.suspensionId ?? randomBytes(8).toString('hex')
    lease = { request, suspensionId, expiresAtMs: now() + leaseMs }
    const { expiresAtMs } = lease
    return blockers.length > 0
      ? { status: 'draining', suspensionId, expiresAtMs, retryAfterMs, blockers }
      : { status: 'ready', suspensionId, expiresAtMs, blockers }
  }

  function resume({ suspensionId }: Readonly<Record<string, unknown>>): unknown {
    const held = current()
    if (held !== undefined && held.suspensionId !== suspensionId) return { ok: false, reason: 'suspension-mismatch' }
    lease = undefined
    return { ok: true, status: 'running', resumed: held !== undefined }
  }

  return {
    held: () => current() !== undefined,
    answer(method, params) {
      if (method === 'gateway.suspend.prepare') return said(prepare(params))
      if (method === 'gateway.suspend.resume') return said(resume(params))
      if (method !== 'cron.list' && method !== 'channels.status') return undefined
      if (current() !== undefined) return { ok: false, code: 'UNAVAILABLE', message: 'the gateway is suspending' }
      const { jobs, channelAccounts } = lifeOn(folder)
      return said(method === 'cron.list' ? { jobs } : { channelAccounts })
    },
  }
}
