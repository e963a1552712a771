// The stand-in gateway of one machine: a server on loopback that behaves like OpenClaw where the platform depends on it.
import { once } from 'node:events'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type net from 'node:net'
import path from 'node:path'
import { answer, type GatewayView } from './answers.ts'
import { upgrades } from './conversation.ts'
import { GuestExit, liveSettings, takeOver } from './settings.ts'
import { sleepingOn } from './sleeping.ts'
import { startupOf } from './startup.ts'

export interface GatewayStart {
  readonly env: Readonly<Record<string, string>>
  /** The volume's folder; without a volume, the root's. */
  readonly folder: string
  readonly scale: number
  /** Milliseconds that the machine has run, not counting time in suspend. */
  readonly ran: () => number
  /** Epoch milliseconds. */
  readonly now: () => number
}

export interface Gateway {
  readonly port: number
  close(): Promise<void>
}

/** Whether the gateway never ran on this volume; from now on it did. */
function takeFresh(folder: string): boolean {
  const mark = path.join(folder, 'state', 'stand-in')
  if (existsSync(mark)) return false
  mkdirSync(path.dirname(mark), { recursive: true })
  writeFileSync(mark, 'a gateway has run on this volume\n')
  return true
}

function required(env: GatewayStart['env'], name: string): string {
  const value = env[name]?.trim() ?? ''
  if (value === '' || value === 'undefined' || value === 'null') throw new GuestExit(64, `${name} is missing`)
  return value
}

/**
 * Starts the gateway. It listens at once, but until it would have opened its port it ends every connection unanswered.
 *
 * @throws {GuestExit} when the real one would not start: no token, no usable configuration
 */
export async function startGateway({ env, folder, scale, ran, now }: GatewayStart): Promise<Gateway> {
  const token = required(env, 'OPENCLAW_GATEWAY_TOKEN')
  const uid = required(env, 'MOORAGE_UID')
  const incarnation = required(env, 'MOORAGE_INCARNATION')
  if (!/^[\w-]{1,64}$/.test(uid) || !/^\d{1,10}$/.test(incarnation))
    throw new GuestExit(64, 'MOORAGE_UID or MOORAGE_INCARNATION is malformed')
  const settings = liveSettings(takeOver(env['OPENCLAW_CONFIG_B64'], folder))
  const startup = startupOf(uid, takeFresh(folder), scale)
  const view: GatewayView = {
    uid,
    incarnation,
    token,
    settings,
    uptime: ran,
    ready: () => ran() >= startup.readyAfterMs,
    sleeping: sleepingOn(folder, now),
  }
  const server = http.createServer({ requestTimeout: 0 }, (request, response) => answer(request, response, view))
  const open = new Set<net.Socket>()
  server.on('connection', (socket: net.Socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    if (ran() < startup.opensAfterMs) socket.destroy()
  })
  server.on('upgrade', upgrades(view))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of open) socket.destroy()
      }),
  }
}
