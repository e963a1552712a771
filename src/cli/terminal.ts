// What every command has of the terminal, and the options that many have.
import { type Command, Option } from 'commander'
import type { Api } from './client.ts'
import { type Format, formats } from './output.ts'

export interface Terminal {
  /** Read when a command needs it, so that help needs no token. */
  readonly openApi: () => Api
  readonly print: (line: string) => void
  /** On standard error: what is not part of the answer. */
  readonly note: (line: string) => void
}

export interface Shown {
  readonly output: Format
}

export const output = (): Option =>
  new Option('-o, --output <format>', 'how the answer is shown').choices([...formats]).default('table' satisfies Format)

/** Of commands that change something. */
export function withReason(command: Command): Command {
  return command.option('--reason <text>', 'why, for the audit')
}
