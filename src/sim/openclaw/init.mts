// The init of a simulated machine, as Fly's own init is: starts `init.exec`, freezes and thaws it, runs commands, carries
// connections between the machine's network and the outside, and tells how the main process ended. Runs inside the machine,
// with nothing of the project but this file; what it is told comes over the IPC channel from machine.ts.
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import net from 'node:net'
import type { FromInit, ToInit } from './words.ts'

const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const most = 1024 * 1024
const inlet = '/.fly/in.sock'

let main: ChildProcess | undefined
let env: NodeJS.ProcessEnv = {}

const tell = (message: FromInit, then?: () => void) => void process.send?.(message, undefined, undefined, then)

/** Joins two connections, each direction ending by itself. */
function join(one: net.Socket, other: net.Socket): void {
  one.on('error', () => other.destroy())
  other.on('error', () => one.destroy())
  one.on('close', () => other.destroySoon())
  other.on('close', () => one.destroySoon())
  one.pipe(other)
  other.pipe(one)
}

function relay(from: net.ListenOptions, to: net.NetConnectOpts, heard: () => void): void {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    join(socket, net.connect({ ...to, allowHalfOpen: true }))
  })
  server.on('error', (error) => process.stderr.write(`machine init: ${error.message}\n`))
  server.listen(from, heard)
}

function start(message: ToInit & { kind: 'start' }): void {
  env = { PATH: path, HOME: '/root', ...message.env }
  const [file = '/bin/sh', ...args] = message.command
  for (const [index, port] of message.outlets.entries())
    relay({ host: '127.0.0.1', port }, { path: `/.fly/out-${index}.sock` }, () => undefined)
  rmSync(inlet, { force: true })
  relay({ path: inlet }, { host: message.address, port: message.port }, () => tell({ kind: 'listening' }))
  const child = spawn(file, args, { env, cwd: '/', stdio: ['ignore', 'inherit', 'inherit'] })
  main = child
  child.on('error', (error) => {
    process.stderr.write(`machine init: ${error.message}\n`)
    tell({ kind: 'exited', code: 127, signal: 0 }, () => process.exit(127))
  })
  child.on('exit', (code, signal) => {
    const oom = existsSync('/.fly/oom')
    tell({ kind: 'exited', code: code ?? 137, signal: signal === null ? 0 : 9, ...(oom ? { oom } : {}) }, () =>
      process.exit(code ?? 137),
    )
  })
}

/** Every process of the machine but init; twice, because one may be starting another one just now. */
function all(signal: 'SIGSTOP' | 'SIGCONT'): void {
  for (let round = 0; round < 2; round += 1)
    try {
      process.kill(-1, signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
}

function run({ id, command, timeoutMs }: ToInit & { kind: 'exec' }): void {
  const [file = '', ...args] = command
  const child = spawn(file, args, { env, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  const said = { stdout: '', stderr: '' }
  let done = false
  const finish = (code: number, signal: number) => {
    if (done) return
    done = true
    clearTimeout(limit)
    tell({ kind: 'ran', id, result: { exit_code: code, exit_signal: signal, ...said } })
  }
  const limit = setTimeout(() => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    finish(137, 9)
  }, timeoutMs)
  child.stdout.on('data', (chunk) => (said.stdout = (said.stdout + String(chunk)).slice(-most)))
  child.stderr.on('data', (chunk) => (said.stderr = (said.stderr + String(chunk)).slice(-most)))
  child.on('error', (error) => {
    said.stderr += error.message
    finish(127, 0)
  })
  // A process that was left in the background may hold the pipes: the command has ended all the same.
  child.on('exit', (code, signal) => setTimeout(() => finish(code ?? 137, signal === null ? 0 : 9), 50))
}

process.on('message', (message: ToInit) => {
  if (message.kind === 'start') start(message)
  else if (message.kind === 'exec') run(message)
  else if (message.kind === 'signal') main?.kill(message.signal)
  else {
    all(message.kind === 'freeze' ? 'SIGSTOP' : 'SIGCONT')
    tell({ kind: 'done', id: message.id })
  }
})
// Whoever held the machine is gone: its memory goes with it.
process.on('disconnect', () => process.exit(137))
process.on('SIGTERM', () => undefined)
tell({ kind: 'up' })
