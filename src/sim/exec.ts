// POST exec and GET ps: looking into a started machine.
import * as z from 'zod'
import { type Answer, type Call, bodyOf, liveMachineOf, ok } from './call.ts'
import { deadline, invalid, precondition } from './errors.ts'
import type { MachineRecord } from './state.ts'
import { type World, sleep } from './world.ts'

// Not documented; reports on the forum put it at about 30 s.
const mostMs = 30_000

const request = z.looseObject({
  command: z.array(z.string()).optional(),
  cmd: z.string().optional(),
  timeout: z.number().min(0).optional(),
})

/** Splits a command line as a shell would split plain words and quotes; nothing is expanded. */
export function words(line: string): string[] {
  const found: string[] = []
  for (const match of line.matchAll(/(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+/g))
    found.push(
      match[0].replaceAll(
        /\\(.)|"((?:[^"\\]|\\.)*)"|'([^']*)'/g,
        (_all, plain?: string, double?: string, single?: string) =>
          plain ?? double?.replaceAll(/\\(["\\$`])/g, '$1') ?? single ?? '',
      ),
    )
  return found
}

function commandOf(body: z.infer<typeof request>): string[] {
  const command = body.command ?? words(body.cmd ?? '')
  if (command.length === 0) throw invalid('command: is required')
  return command
}

function checkStarted(machine: MachineRecord, what: string): void {
  if (machine.state !== 'started')
    throw precondition(`unable to ${what} machine from current state: '${machine.state}'`)
}

/** Installing system packages takes its time, as the seed measured it; anything else is quick. */
const installs = (command: readonly string[]): boolean => /apt-get|install-deps/.test(command.join(' '))

/** Runs a command in the guest. 200 whatever it answers; 408 when it takes more than its time. */
export async function execInMachine(world: World, call: Call): Promise<Answer> {
  const machine = liveMachineOf(world, call)
  const body = bodyOf(call, request)
  const command = commandOf(body)
  checkStarted(machine, 'exec in')
  const limit = body.timeout === undefined || body.timeout === 0 ? mostMs : Math.min(body.timeout * 1000, mostMs)
  const takes = world.latency.unscaled(installs(command) ? 'install' : 'exec')
  await sleep(world, Math.min(takes, limit) * world.scale)
  if (takes > limit) throw deadline('exec did not end in time')
  const present = liveMachineOf(world, call)
  checkStarted(present, 'exec in')
  return ok(await runIn(world, machine.id, command, limit))
}

async function runIn(world: World, machine: string, command: readonly string[], limit: number): Promise<unknown> {
  let cancel = (): void => undefined
  const late = new Promise<never>((_resolve, reject) => {
    cancel = world.clock.after(limit, () => reject(deadline('exec did not end in time')))
  })
  try {
    return await Promise.race([world.guests.exec(machine, command, limit), late])
  } finally {
    cancel()
  }
}

/** GET ps: what a gateway's machine would show. */
export function listProcesses(world: World, call: Call): Answer {
  const machine = liveMachineOf(world, call)
  checkStarted(machine, 'list processes of')
  const age = Math.max(0, Math.floor((world.clock.now() - machine.updatedAt) / 1000))
  const row = (pid: number, command: string, listen: readonly unknown[]): Record<string, unknown> => ({
    pid,
    stime: 0,
    rtime: age,
    command,
    directory: '/',
    cpu: 0,
    rss: pid === 1 ? 1_048_576 : 180_000_000,
    listen_sockets: listen,
  })
  return ok([
    row(1, '/fly/init', [{ proto: 'tcp6', address: '[::]:22' }]),
    row(310, 'gateway', [{ proto: 'tcp', address: `${machine.privateIp}:18789` }]),
  ])
}
