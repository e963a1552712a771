#!/usr/bin/env node
// `moor`: Moorage from a terminal. It speaks the REST API and nothing else. Exit codes: 0, 1 refused or failed, 2 misused.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command, CommanderError } from 'commander'
import { callerCommands } from './caller-commands.ts'
import { type Api, apiClient, RequestError } from './client.ts'
import { fleetCommands } from './fleet-commands.ts'
import { moneyCommands } from './money.ts'
import { tenantCommands } from './tenant-commands.ts'
import type { Terminal } from './terminal.ts'

const print = (line: string) => void process.stdout.write(`${line}\n`)
const note = (line: string) => void process.stderr.write(`${line}\n`)

function tokenFrom(folder: string): string {
  const file = join(folder, 'admin-token')
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    const hint = `There is no token: set MOORAGE_TOKEN, or MOORAGE_DATA to the folder that has admin-token (${file} cannot be read).`
    throw new RequestError(hint, undefined, [], error)
  }
}

function openApi(reason: string | undefined): Api {
  const { MOORAGE_API: base = 'http://127.0.0.1:7070', MOORAGE_TOKEN, MOORAGE_DATA = '.moorage' } = process.env
  return apiClient({ base, token: MOORAGE_TOKEN ?? tokenFrom(MOORAGE_DATA), reason })
}

/** The reason of whichever command runs, where it takes one. */
function reasonOf(options: Readonly<Record<string, unknown>>): string | undefined {
  const { reason } = options
  return typeof reason === 'string' && reason.trim() !== '' ? reason : undefined
}

function moor(): Command {
  const program = new Command('moor').description('Moorage from a terminal').exitOverride()
  program.addHelpText(
    'after',
    '\nEnvironment: MOORAGE_API (http://127.0.0.1:7070), MOORAGE_TOKEN, MOORAGE_DATA (.moorage)',
  )
  let reason: string | undefined
  program.hook('preAction', (_program, command) => {
    reason = reasonOf(command.opts())
  })
  const terminal: Terminal = { openApi: () => openApi(reason), print, note }
  tenantCommands(program, terminal)
  fleetCommands(program, terminal)
  callerCommands(program, terminal)
  moneyCommands(program, terminal)
  return program
}

/** What went wrong on standard error, and the exit code. */
function explain(error: unknown): number {
  // Commander has said it already; help that was asked for is no mistake.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  const lines = error instanceof RequestError ? error.errors.map(({ path, detail }) => `  ${path} ${detail}`) : []
  process.stderr.write([`moor: ${error instanceof Error ? error.message : String(error)}`, ...lines, ''].join('\n'))
  return 1
}

// Whoever reads us has had enough: `moor get -w | head -3`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})

try {
  await moor().parseAsync()
} catch (error) {
  process.exitCode = explain(error)
}
