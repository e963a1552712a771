#!/usr/bin/env node
// `moor`: Moorage from a terminal. It speaks the REST API and nothing else. Exit codes: 0, 1 refused or failed, 2 misused.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { Argument, Command, CommanderError, Option } from 'commander'
import { apply } from './apply.ts'
import { callerCommands } from './caller-commands.ts'
import { type Api, apiClient, RequestError } from './client.ts'
import {
  adopt,
  type AdoptOptions,
  decide,
  fleet,
  fleetAction,
  fleetActions,
  fleetModes,
  fleetWord,
  orphans,
  pools,
  rollouts,
  setMode,
  steer,
} from './fleet.ts'
import { moneyCommands } from './money.ts'
import { type Format, formats } from './output.ts'
import { decidePairing, pairings } from './pairings.ts'
import { act, diff, entitle, events, get, plan, remove, setFields, setState, why, type Selected } from './tenants.ts'

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

/** Read when a command needs it, so that help needs no token. */
function openApi(): Api {
  const { MOORAGE_API, MOORAGE_TOKEN, MOORAGE_DATA } = process.env
  return apiClient(MOORAGE_API ?? 'http://127.0.0.1:7070', MOORAGE_TOKEN ?? tokenFrom(MOORAGE_DATA ?? '.moorage'))
}

interface Shown {
  readonly output: Format
}

const output = () =>
  new Option('-o, --output <format>', 'how the answer is shown').choices([...formats]).default('table' satisfies Format)

function tenantCommands(program: Command): void {
  program
    .command('apply')
    .description('create or change the tenants of a YAML file (- is standard input)')
    .requiredOption('-f, --file <file>', 'one or many documents')
    .action(async ({ file }: { readonly file: string }) => {
      const api = openApi()
      await apply(api, file, file === '-' ? await text(process.stdin) : readFileSync(file, 'utf8'), print)
    })
  program
    .command('get')
    .description('one tenant, or all of them')
    .argument('[what]', '"tenants" or a name', 'tenants')
    .option('-l, --selector <labels>', 'only those with these labels: plan in (pro,team),!trial')
    .option('--field-selector <fields>', 'only those with these fields: status.effective=running,spec.region!=iad')
    .addOption(output())
    .action(async (what: string, { output: format, ...selected }: Shown & Selected) =>
      print(await get(openApi(), what, format, selected)),
    )
  const reads = { why, plan, diff }
  const words = {
    why: 'why a tenant is not as wanted',
    plan: 'the steps ahead, without taking them',
    diff: 'how a machine differs from what is wanted',
  }
  for (const name of ['why', 'plan', 'diff'] as const)
    program
      .command(name)
      .description(words[name])
      .argument('<name>')
      .addOption(output())
      .action(async (tenant: string, { output: format }: Shown) => print(await reads[name](openApi(), tenant, format)))
  program
    .command('events')
    .description('what happened, of one tenant or of all')
    .argument('[name]')
    .addOption(output())
    .action(async (name: string | undefined, { output: format }: Shown) => print(await events(openApi(), name, format)))
}

function pairingCommands(program: Command): void {
  program
    .command('pairing')
    .description("who asks to be let into a tenant's gateway; with a word and an id, your answer")
    .argument('<name>')
    .addArgument(new Argument('[word]').choices(['approve', 'reject']))
    .argument('[id]')
    .addOption(output())
    .action(async (name: string, word: 'approve' | 'reject' | undefined, id: string | undefined, shown: Shown) => {
      if (word !== undefined && id === undefined)
        throw new RequestError(`${word} which one? Give its id.`, undefined, [])
      const answer = word === undefined || id === undefined ? undefined : await decidePairing(openApi(), name, word, id)
      print(answer ?? (await pairings(openApi(), name, shown.output)))
    })
}

function changeCommands(program: Command): void {
  const change = (name: string, description: string, run: (api: Api, tenant: string) => Promise<string>) =>
    program
      .command(name)
      .description(description)
      .argument('<name>')
      .action(async (tenant: string) => print(await run(openApi(), tenant)))
  change('delete', 'delete a tenant; its volume is retained for a while', remove)
  change('undelete', 'take a deletion back', (api, name) => act(api, name, 'undelete', 'is taken back'))
  change('suspend', 'want the tenant suspended', (api, name) => setState(api, name, 'suspended'))
  change('resume', 'want the tenant running', (api, name) => setState(api, name, 'running'))
  change('retry', 'try a waiting step now', (api, name) => act(api, name, 'retry', 'is tried again now'))
  change('approve', 'let what billing asked for take effect', (api, name) => act(api, name, 'approve', 'is approved'))
  change('reject', 'drop what billing asked for', (api, name) => act(api, name, 'reject', 'stays as it is'))
  program
    .command('restore')
    .description('put a volume made from a snapshot in place of the present one, which is kept')
    .argument('<name>')
    .option('--snapshot <id>', 'which one; the newest unless set')
    .action(async (name: string, options: { readonly snapshot?: string }) =>
      print(await act(openApi(), name, 'restore', 'is restored', options)),
    )
  program
    .command('set')
    .description('change fields of the spec: paused=false, update=immediate, volume={sizeGb: 3}')
    .argument('<name>')
    .argument('<field=value...>')
    .action(async (name: string, fields: readonly string[]) => print(await setFields(openApi(), name, fields)))
  program
    .command('entitle')
    .description("billing's word on a tenant")
    .argument('<name>')
    .addArgument(new Argument('<state>').choices(['active', 'suspended', 'ended']))
    .option('--reason <text>', 'why')
    .action(async (name: string, state: string, { reason }: { readonly reason?: string }) =>
      print(await entitle(openApi(), name, state, reason)),
    )
}

function fleetCommands(program: Command): void {
  const whole = program
    .command('fleet')
    .description('the fleet as a whole')
    .addOption(output())
    .action(async ({ output: format }: Shown) => print(await fleet(openApi(), format)))
  for (const action of fleetActions)
    whole
      .command(action)
      .description(fleetWord(action))
      .action(async () => print(await fleetAction(openApi(), action)))
  for (const mode of fleetModes)
    whole
      .command(mode)
      .description(mode === 'normal' ? 'let Moorage act' : 'let Moorage only look on')
      .action(async () => print(await setMode(openApi(), mode)))
  const rolling = program
    .command('rollouts')
    .description('new images on their way through the fleet')
    .addOption(output())
    .action(async ({ output: format }: Shown) => print(await rollouts(openApi(), format)))
  for (const action of ['pause', 'resume', 'rollback', 'advance'])
    rolling
      .command(action)
      .argument('<id>')
      .action(async (id: string) => print(await steer(openApi(), action, id)))
  program
    .command('pools')
    .description('machines that stand ready for tenants to come')
    .addOption(output())
    .action(async ({ output: format }: Shown) => print(await pools(openApi(), format)))
  program
    .command('adopt')
    .description('take a living fleet back into a database that lost it; changes nothing on Fly')
    .option('--dry-run', 'only say what would be adopted', false)
    .option('--asleep', 'take machines at rest for put to sleep, where that can be, and not for suspended', false)
    .addOption(output())
    .action(async ({ dryRun, asleep, output: format }: Shown & AdoptOptions) =>
      print(await adopt(openApi(), { dryRun, asleep }, format)),
    )
  const group = program
    .command('orphans')
    .description('what was found on Fly that belongs to no tenant')
    .addOption(output())
    .action(async ({ output: format }: Shown) => print(await orphans(openApi(), format)))
  const words = { release: 'give it up: it is destroyed', keep: 'leave it as it is for good' }
  for (const action of ['release', 'keep'] as const)
    group
      .command(action)
      .description(words[action])
      .argument('<id>')
      .action(async (id: string) => print(await decide(openApi(), action, id)))
}

function moor(): Command {
  const program = new Command('moor').description('Moorage from a terminal').exitOverride()
  program.addHelpText(
    'after',
    '\nEnvironment: MOORAGE_API (http://127.0.0.1:7070), MOORAGE_TOKEN, MOORAGE_DATA (.moorage)',
  )
  tenantCommands(program)
  changeCommands(program)
  pairingCommands(program)
  fleetCommands(program)
  callerCommands(program, { openApi, print, note })
  moneyCommands(program, { openApi, print, output })
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

try {
  await moor().parseAsync()
} catch (error) {
  process.exitCode = explain(error)
}
