// The commands about the fleet as a whole.
import type { Command } from 'commander'
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
  rollouts,
  setMode,
  steer,
} from './fleet.ts'
import { get } from './get.ts'
import { output, type Shown, type Terminal, withReason } from './terminal.ts'

function wholeCommands(program: Command, { openApi, print }: Terminal): void {
  const whole = program
    .command('fleet')
    .description('the fleet as a whole')
    .addOption(output())
    .action(async ({ output: format }: Shown) => print(await fleet(openApi(), format)))
  for (const action of fleetActions)
    withReason(whole.command(action))
      .description(fleetWord(action))
      .action(async () => print(await fleetAction(openApi(), action)))
  for (const mode of fleetModes)
    withReason(whole.command(mode))
      .description(mode === 'normal' ? 'let Moorage act' : 'let Moorage only look on')
      .action(async () => print(await setMode(openApi(), mode)))
}

/** Adds the commands. */
export function fleetCommands(program: Command, terminal: Terminal): void {
  const { openApi, print } = terminal
  wholeCommands(program, terminal)
  const rolling = program
    .command('rollouts')
    .description('new images on their way through the fleet')
    .addOption(output())
    .action(async ({ output: format }: Shown) => print(await rollouts(openApi(), format)))
  for (const action of ['pause', 'resume', 'rollback', 'advance'])
    withReason(rolling.command(action))
      .argument('<id>')
      .action(async (id: string) => print(await steer(openApi(), action, id)))
  program
    .command('pools')
    .description('machines that stand ready for tenants to come; the same as get pools')
    .addOption(output())
    .action(async ({ output: format }: Shown) => print(await get(openApi(), { kind: 'pools' }, format)))
  withReason(program.command('adopt'))
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
    withReason(group.command(action))
      .description(words[action])
      .argument('<id>')
      .action(async (id: string) => print(await decide(openApi(), action, id)))
}
