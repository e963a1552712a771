// The command that tells a running gateway whose it is: the tenant's token and configuration are put where it reads them, by
// the very program that the boot script uses, and the gateway takes them up without a restart.
import { canonical, type Json } from './json.ts'

/** One argument of a command may have 128 KiB on Linux (MAX_ARG_STRLEN); what is larger goes the slow way. */
const longestConfig = 100_000

/** What tells the command from others, for whoever stands in for a machine. */
export const PERSONALISE = 'moorage-personalise'

// The gateway's own token stays: it is the machine's. Every secret is read again when the configuration is.
const script = `set -eu
umask 077
state=\${OPENCLAW_STATE_DIR:-/data}
secrets=\${MOORAGE_SECRETS_FILE:-/run/moorage/secrets.json}
ours=$state/.moorage
mkdir -p "$ours"
token='JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8")).gateway'
OPENCLAW_GATEWAY_TOKEN=$(node -p "$token" "$secrets")
KIWICLAW_PROXY_TOKEN=$3
export OPENCLAW_GATEWAY_TOKEN KIWICLAW_PROXY_TOKEN
printf '%s' "$2" | base64 -d >"$ours/config.new"
exec node -e "$1" "$state/openclaw.json" "$ours/config.new" "$ours/config.good" "$secrets"`

/** The program in the boot script that merges a configuration into the one on the volume. Throws when it is not there. */
export function applyProgram(bootScript: string): string {
  const program = /^apply='\n([^']*)'$/m.exec(bootScript)?.[1]
  if (program === undefined) throw new TypeError('the boot script has no program that applies a configuration')
  return program
}

/**
 * Writes `config` and, for a managed tenant, its LLM token where the running gateway reads them again. It holds secrets:
 * never log it. Undefined: it is too long for a command.
 */
export function personaliseCommand(
  bootScript: string,
  config: Json,
  llmToken: string | undefined,
): readonly string[] | undefined {
  const encoded = Buffer.from(canonical(config)).toString('base64')
  if (encoded.length > longestConfig) return undefined
  return ['/bin/sh', '-c', script, PERSONALISE, applyProgram(bootScript), encoded, llmToken ?? '']
}
