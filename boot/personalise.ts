// The command that tells a running gateway whose it is: the tenant's configuration goes to the volume, by the very program
// that the boot script uses, and the gateway takes it up without a restart.
import { canonical, type Json } from './json.ts'

/** One argument of a command may have 128 KiB on Linux (MAX_ARG_STRLEN); what is larger goes the slow way. */
const longestConfig = 100_000

/** What tells the command from others, for whoever stands in for a machine. */
export const PERSONALISE = 'moorage-personalise'

const script = `set -eu
umask 077
state=\${OPENCLAW_STATE_DIR:-/data}
ours=$state/.moorage
mkdir -p "$ours"
printf '%s' "$2" | base64 -d >"$ours/config.new"
exec node -e "$1" "$state/openclaw.json" "$ours/config.new" "$ours/config.good"`

/** The program in the boot script that merges a configuration into the one on the volume. Throws when it is not there. */
export function applyProgram(bootScript: string): string {
  const program = /^apply='\n([^']*)'$/m.exec(bootScript)?.[1]
  if (program === undefined) throw new TypeError('the boot script has no program that applies a configuration')
  return program
}

/** Writes `config` where the running gateway reads it again. Undefined: it is too long for a command. */
export function personaliseCommand(bootScript: string, config: Json): readonly string[] | undefined {
  const encoded = Buffer.from(canonical(config)).toString('base64')
  if (encoded.length > longestConfig) return undefined
  return ['/bin/sh', '-c', script, PERSONALISE, applyProgram(bootScript), encoded]
}
