// The command that gives a running machine a new token for the LLM proxy, without a restart.

// The file is replaced whole, beside it and by a rename, so that whoever reads it finds the old token or the new one. The
// gateway does not watch it: it is told to read it again, through its own command line, and keeps the old one if it cannot.
const script = `set -eu
umask 077
app=\${MOORAGE_APP_DIR:-/app}
secrets=\${MOORAGE_SECRETS_FILE:-/run/moorage/secrets.json}
OPENCLAW_STATE_DIR=\${OPENCLAW_STATE_DIR:-/data}
export OPENCLAW_STATE_DIR
node -e "$1" "$secrets" "$2"
exec node "$app/openclaw.mjs" secrets reload >/dev/null`

const replace = `
const fs = require("node:fs")
const [file, llm] = process.argv.slice(1)
const known = JSON.parse(fs.readFileSync(file, "utf8"))
const fd = fs.openSync(file + ".new", "w", 0o600)
fs.writeFileSync(fd, JSON.stringify({ ...known, llm }, null, 2))
fs.fsyncSync(fd)
fs.closeSync(fd)
fs.renameSync(file + ".new", file)
`

/** Idempotent: exit 0 once the gateway has read the token. The command holds the token: never log it. */
export function renewCommand(token: string): readonly string[] {
  return ['/bin/sh', '-c', script, 'moorage-renew', replace, token]
}
