// The commands about money: costs and webhooks.
import { type Command, Option } from 'commander'
import { cost, type CostOptions } from './costs.ts'
import { output, type Shown, type Terminal, withReason } from './terminal.ts'
import { addEndpoint, deliveries, endpoints, redeliver, removeEndpoint, testEndpoint } from './webhooks.ts'

/** Adds `cost` and `webhook`. */
export function moneyCommands(program: Command, { openApi, print }: Terminal): void {
  program
    .command('cost')
    .description('what each tenant used in a month, what that costs, and what suspending saved')
    .option('--month <month>', 'such as 2026-11; the present one unless set')
    .option('--csv', 'for a spreadsheet', false)
    .addOption(output())
    .action(async ({ output: format, ...options }: Shown & CostOptions) =>
      print(await cost(openApi(), options, format)),
    )
  const group = program.command('webhook').description('who is told of changes, and what could not be told')
  group
    .command('list')
    .addOption(output())
    .action(async ({ output: format }: Shown) => print(await endpoints(openApi(), format)))
  withReason(group.command('add'))
    .argument('<url>')
    .argument('[event...]', 'all unless set')
    .action(async (url: string, events: readonly string[]) => print(await addEndpoint(openApi(), url, events)))
  group
    .command('deliveries')
    .addOption(new Option('--state <state>').choices(['pending', 'done', 'dead']))
    .addOption(output())
    .action(async ({ state, output: format }: Shown & { readonly state?: string }) =>
      print(await deliveries(openApi(), state, format)),
    )
  const one = { remove: removeEndpoint, test: testEndpoint, redeliver }
  for (const [name, run] of Object.entries(one))
    withReason(group.command(name))
      .argument('<id>')
      .action(async (id: string) => print(await run(openApi(), id)))
}
