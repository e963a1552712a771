// What the simulator's API process and the guest host say to each other: JSON, one message per line, over a unix socket.
import type net from 'node:net'
import type { GuestHost } from '../guest-host.ts'

/** The calls that travel; `release` is the end of the connection itself. */
export type Method = Exclude<keyof GuestHost, 'release'>

export interface Request {
  readonly id: number
  readonly method: Method
  readonly args: readonly unknown[]
}

export type Reply =
  | { readonly id: number; readonly ok: true; readonly value?: unknown }
  | { readonly id: number; readonly ok: false; readonly message: string }

const mostBytes = 8 * 1024 * 1024

export function send(socket: net.Socket, message: Request | Reply): void {
  socket.write(`${JSON.stringify(message)}\n`)
}

/** Calls `take` with each message. A peer that sends something else is cut off: both ends are ours. */
export function receive(socket: net.Socket, take: (message: unknown) => void): void {
  let partial = ''
  socket.setEncoding('utf8')
  socket.on('data', (text: string) => {
    const lines = (partial + text).split('\n')
    partial = lines.pop() ?? ''
    if (partial.length > mostBytes) socket.destroy(new Error('a message on the control socket is too long'))
    for (const line of lines) take(JSON.parse(line))
  })
}
