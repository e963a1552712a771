// The commands about callers: tokens, who one is, and what everybody did.
import { Argument, Option, type Command } from 'commander'
import { audit, type AuditOptions, readHead, verifyAudit } from './audit.ts'
import { output, type Shown, type Terminal, withReason } from './terminal.ts'
import { createToken, revokeToken, rotateToken, type TokenOptions, tokens, whoami } from './tokens.ts'

function tokenCommands(program: Command, { openApi, print, note }: Terminal): void {
  const say = (issued: { readonly out: string; readonly note: string }) => {
    note(issued.note)
    print(issued.out)
  }
  const group = program.command('token').description('service tokens: for programs, and for people without an issuer')
  group
    .command('list')
    .addOption(output())
    .action(async ({ output: format }: Shown) => print(await tokens(openApi(), format)))
  withReason(group.command('create'))
    .description('make one; its secret goes to standard output, once')
    .argument('<name>', 'what uses it')
    .addOption(new Option('--role <role>').choices(['admin', 'billing', 'viewer']).makeOptionMandatory())
    .option('-l, --selector <labels>', 'limit it to tenants with these labels, such as plan=pro')
    .option('--days <number>', 'how long it is valid; 90 unless set', Number)
    .action(async (name: string, options: TokenOptions) => say(await createToken(openApi(), name, options)))
  withReason(group.command('rotate'))
    .description('give it a new secret; the present one is taken for a while still')
    .argument('<id>')
    .option('--grace-hours <number>', 'for how long', Number, 1)
    .action(async (id: string, { graceHours }: { readonly graceHours: number }) =>
      say(await rotateToken(openApi(), id, graceHours)),
    )
  withReason(group.command('revoke'))
    .addArgument(new Argument('<id>'))
    .action(async (id: string) => print(await revokeToken(openApi(), id)))
  program
    .command('whoami')
    .description('who the token says that you are')
    .addOption(output())
    .action(async ({ output: format }: Shown) => print(await whoami(openApi(), format)))
}

/** Adds the commands. */
export function callerCommands(program: Command, terminal: Terminal): void {
  const { openApi, print } = terminal
  tokenCommands(program, terminal)
  const group = program
    .command('audit')
    .description('who changed what, newest first')
    .option('--object <object>', 'only of this, such as tenants/acme')
    .option('--caller <id>', 'only by this caller, such as token:abc')
    .option('--limit <number>', 'how many entries are read', Number, 100)
    .addOption(output())
    .action(async ({ output: format, ...options }: Shown & AuditOptions) =>
      print(await audit(openApi(), options, format)),
    )
  group
    .command('verify')
    .description('compute the chain anew from its first entry; exit code 1 where it is broken')
    .option('--head <seq:hash>', 'a head that an earlier check printed')
    .action(async ({ head }: { readonly head?: string }) =>
      print(await verifyAudit(openApi(), head === undefined ? [] : [readHead(head)])),
    )
}
