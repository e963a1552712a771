// The commands about tenants, and about lists in general.
import { text } from 'node:stream/consumers'
import { Argument, type Command, Option } from 'commander'
import { realClock } from '../clock.ts'
import { apply } from './apply.ts'
import { type Api, RequestError } from './client.ts'
import { readPieces } from './documents.ts'
import { get, readGot, type Selected, watch } from './get.ts'
import { decidePairing, pairings } from './pairings.ts'
import { act, diff, entitle, plan, remove, setFields, setState, why } from './tenants.ts'
import { output, type Shown, type Terminal, withReason } from './terminal.ts'

interface Watched extends Shown {
  readonly watch: boolean
  readonly outputWatchEvents: boolean
}

const watching = (command: Command) =>
  command
    .option('-w, --watch', 'go on with each change, until Ctrl-C', false)
    .option('--output-watch-events', 'say of each change what it is: ADDED, MODIFIED, DELETED', false)
    .addOption(output())

/** Prints once, or until somebody presses Ctrl-C, which is exit code 130 as in a shell. */
async function shownOrWatched(
  { openApi, print, note }: Terminal,
  got: ReturnType<typeof readGot> & { readonly selected?: Selected },
  { watch: isWatched, outputWatchEvents: says, output: format }: Watched,
): Promise<void> {
  if (!isWatched) {
    print(await get(openApi(), got, format))
    return
  }
  const stopped = new AbortController()
  process.once('SIGINT', () => {
    process.exitCode = 130
    stopped.abort()
  })
  await watch(openApi(), got, format, { clock: realClock, signal: stopped.signal, print, note, says })
}

interface Applied extends Shown {
  readonly filename: readonly string[]
  readonly recursive: boolean
  readonly forceConflicts: boolean
  readonly dryRun: boolean
}

function applyCommand(program: Command, { openApi, print, note }: Terminal): void {
  withReason(program.command('apply'))
    .description('create or change tenants, classes and pools as files say')
    .requiredOption(
      '-f, --filename <file...>',
      'files with one or many documents, folders of them, - for standard input',
    )
    .option('-R, --recursive', 'also what is in folders of a folder', false)
    .option('--force-conflicts', "take fields over that belong to somebody else, such as billing's entitlement", false)
    .option('--dry-run', 'only say what would become of each document; nothing is stored', false)
    .addOption(output())
    .action(async ({ filename, recursive, dryRun, forceConflicts: force, output: format }: Applied) => {
      const pieces = await readPieces(filename, { recursive, input: () => text(process.stdin) })
      await apply(openApi(), pieces, { force, dryRun, format, print, note })
    })
}

function readCommands(program: Command, terminal: Terminal): void {
  const { openApi, print } = terminal
  watching(
    program
      .command('get')
      .description('tenants, events, pools or classes: all of them, or one; a name alone is a tenant’s')
      .argument('[what]', '"tenants", "events", "pools", "classes", or the name of a tenant', 'tenants')
      .argument('[name]', 'only this one; of events, of this tenant')
      .option('-l, --selector <labels>', 'only those with these labels: plan in (pro,team),!trial')
      .option('--field-selector <fields>', 'only those with these fields: status.effective=running,spec.region!=iad'),
  ).action((what: string, name: string | undefined, { selector, fieldSelector, ...rest }: Watched & Selected) => {
    const selected = {
      ...(selector === undefined ? {} : { selector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
    }
    return shownOrWatched(terminal, { ...readGot(what, name), selected }, rest)
  })
  watching(
    program.command('events').description('what happened, of one tenant or of all, newest first').argument('[name]'),
  ).action((name: string | undefined, shown: Watched) => shownOrWatched(terminal, { kind: 'events', name }, shown))
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
}

function pairingCommand(program: Command, { openApi, print }: Terminal): void {
  withReason(program.command('pairing'))
    .description("who asks to be let into a tenant's gateway; with a word and an id, your answer")
    .argument('<name>')
    .addArgument(new Argument('[word]').choices(['approve', 'reject']))
    .argument('[id]')
    .addOption(output())
    .action(async (name: string, word: 'approve' | 'reject' | undefined, id: string | undefined, shown: Shown) => {
      if (word !== undefined && id === undefined) throw new RequestError(`${word} which one? Give its id.`)
      const answer = word === undefined || id === undefined ? undefined : await decidePairing(openApi(), name, word, id)
      print(answer ?? (await pairings(openApi(), name, shown.output)))
    })
}

function changeCommands(program: Command, { openApi, print }: Terminal): void {
  const change = (name: string, description: string, run: (api: Api, tenant: string) => Promise<string>) =>
    withReason(program.command(name))
      .description(description)
      .argument('<name>')
      .action(async (tenant: string) => print(await run(openApi(), tenant)))
  change('delete', 'delete a tenant; its volume is retained for a while', remove)
  change('undelete', 'take a deletion back', (api, name) => act(api, name, 'undelete', 'is taken back'))
  change('suspend', 'want the tenant suspended', (api, name) => setState(api, name, 'suspended'))
  change('resume', 'want the tenant running', (api, name) => setState(api, name, 'running'))
  change('retry', 'try a waiting step now', (api, name) => act(api, name, 'retry', 'is tried again now'))
  change('restart', 'stop the machine and start it anew', (api, name) => act(api, name, 'restart', 'is restarted'))
  change('approve', 'let what billing asked for take effect', (api, name) => act(api, name, 'approve', 'is approved'))
  change('reject', 'drop what billing asked for', (api, name) => act(api, name, 'reject', 'stays as it is'))
  withReason(program.command('restore'))
    .description('put a volume made from a snapshot in place of the present one, which is kept')
    .argument('<name>')
    .option('--snapshot <id>', 'which one; the newest unless set')
    .action(async (name: string, { snapshot }: { readonly snapshot?: string }) =>
      print(await act(openApi(), name, 'restore', 'is restored', { snapshot })),
    )
  withReason(program.command('set'))
    .description('change fields of the spec: paused=false, update=immediate, volume={sizeGb: 3}')
    .argument('<name>')
    .argument('<field=value...>')
    .action(async (name: string, fields: readonly string[]) => print(await setFields(openApi(), name, fields)))
  program
    .command('entitle')
    .description("billing's word on a tenant")
    .argument('<name>')
    .addArgument(new Argument('<state>').choices(['active', 'suspended', 'ended']))
    .addOption(new Option('--reason <text>', 'why; part of the entitlement, and in the audit'))
    .action(async (name: string, state: string, { reason }: { readonly reason?: string }) =>
      print(await entitle(openApi(), name, state, reason)),
    )
}

/** Adds the commands. */
export function tenantCommands(program: Command, terminal: Terminal): void {
  applyCommand(program, terminal)
  readCommands(program, terminal)
  changeCommands(program, terminal)
  pairingCommand(program, terminal)
}
