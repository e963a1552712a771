#!/bin/sh
# The boot script of a tenant machine, run by Fly as `/bin/sh -c <this text>` after the volume is mounted. POSIX sh (dash).
# Exit codes: 64 a setting is missing, 65 no usable configuration, 66 a file is missing, 73 the volume cannot be written,
# 71 the bridge cannot listen; everything else comes from the gateway (78: it refuses its configuration).
set -eu
umask 077

# 0. Settings. The paths have defaults so that a test can run this very file in a folder of its own.
app=${MOORAGE_APP_DIR:-/app}
state=${OPENCLAW_STATE_DIR:-/data}
bridge=${MOORAGE_BRIDGE_FILE:-/opt/moorage/bridge.mjs}
browsers=${PLAYWRIGHT_BROWSERS_PATH:-$state/.browsers}
heap=${MOORAGE_HEAP_MB:-1536}
secrets=${MOORAGE_SECRETS_FILE:-/run/moorage/secrets.json}
install_limit=${MOORAGE_INSTALL_LIMIT:-900}
ours=$state/.moorage

say() { printf 'moorage boot: %s\n' "$*" >&2; }
refuse() {
  code=$1
  shift
  say "$*"
  exit "$code"
}

# Without a token the gateway would start with a random one that nobody knows.
case ${OPENCLAW_GATEWAY_TOKEN:-} in
'' | undefined | null | *[[:space:]]*) refuse 64 "OPENCLAW_GATEWAY_TOKEN is missing or blank: not starting" ;;
esac
[ -n "${FLY_PRIVATE_IP:-}" ] || refuse 64 "FLY_PRIVATE_IP is missing: the bridge would have no address of its own"
[ -r "$bridge" ] || refuse 66 "the bridge is missing at $bridge"
[ -r "$app/openclaw.mjs" ] || refuse 66 "OpenClaw is missing at $app/openclaw.mjs"
mkdir -p "$ours" "$state/bin" "$browsers" || refuse 73 "$state cannot be written by user $(id -u)"
mkdir -p "${secrets%/*}" || refuse 73 "${secrets%/*} cannot be written by user $(id -u)"

# 1. Tokens, from the environment to a file beside the volume. Configuration: from the environment to the volume. Decode beside the real file, check, then rename. What the customer
# changed in the user interface stays; what we set wins; what we no longer set goes (a three-way merge with the last good one).
if ! printf '%s' "${OPENCLAW_CONFIG_B64:-}" | base64 -d >"$ours/config.new" 2>/dev/null; then
  rm -f "$ours/config.new"
fi
unset OPENCLAW_CONFIG_B64
# shellcheck disable=SC2016 # the program's own dollar signs
apply='
const fs = require("node:fs")
const [file, wanted, good, secrets] = process.argv.slice(1)
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value)
const say = (text) => process.stderr.write(`moorage boot: ${text}\n`)
const read = (path) => {
  try {
    const value = JSON.parse(fs.readFileSync(path, "utf8"))
    return isObject(value) ? value : undefined
  } catch (error) {
    if (error.code !== "ENOENT") say(`${path} cannot be used: ${error.code ?? "it is not JSON"}`)
    return undefined
  }
}
const write = (path, value) => {
  const fd = fs.openSync(`${path}.tmp`, "w", 0o600)
  try {
    fs.writeFileSync(fd, JSON.stringify(value, null, 2))
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
  fs.renameSync(`${path}.tmp`, path)
}
const merge = (before, wish, now) => {
  if (!isObject(wish)) return wish
  const own = (object, key) => (isObject(object) && Object.hasOwn(object, key) ? object[key] : undefined)
  const kept = Object.entries(isObject(now) ? now : {}).filter(
    ([key]) => !Object.hasOwn(wish, key) && own(before, key) === undefined,
  )
  const set = Object.entries(wish).map(([key, value]) => [key, merge(own(before, key), value, own(now, key))])
  return Object.fromEntries([...kept, ...set])
}
const { OPENCLAW_GATEWAY_TOKEN: gateway, KIWICLAW_PROXY_TOKEN: llm } = process.env
try {
  write(secrets, { gateway, ...(llm ? { llm } : {}) })
} catch (error) {
  say(`${secrets} cannot be written: ${error.code}`)
  process.exit(73)
}
const last = read(good)
const fresh = read(wanted)
const current = read(file)
if (fresh === undefined) say("the configuration from the environment cannot be used")
if (current === undefined && fs.existsSync(file)) fs.copyFileSync(file, `${file}.unusable`)
const wish = fresh ?? last
if (wish === undefined) process.exit(65)
if (fresh === undefined) say("using the last good one")
try {
  write(file, merge(last, wish, current))
  write(good, wish)
  fs.rmSync(wanted, { force: true })
} catch (error) {
  say(`the configuration cannot be written: ${error.code}`)
  if (current === undefined) process.exit(73)
  say("leaving the one on the volume as it is")
}'
node -e "$apply" "$state/openclaw.json" "$ours/config.new" "$ours/config.good" "$secrets" ||
  refuse "$?" "there is no usable configuration: not starting"
# From here on the tokens are in that file, which can be replaced while the gateway runs, and in nobody's environment.
unset OPENCLAW_GATEWAY_TOKEN KIWICLAW_PROXY_TOKEN

# 2. Chromium: the newest complete download on the volume. Playwright leaves a marker once a download is complete; the
# folder inside has had two names.
newest_browser() {
  newest=
  newest_revision=-1
  for found in "$browsers"/chromium_headless_shell-*/chrome-headless-shell-linux*/chrome-headless-shell \
    "$browsers"/chromium_headless_shell-*/chrome-linux/headless_shell; do
    folder=${found%/*/*}
    revision=${folder##*-}
    case $revision in '' | *[!0-9]*) continue ;; esac
    if [ -x "$found" ] && [ -e "$folder/INSTALLATION_COMPLETE" ] && [ "$revision" -gt "$newest_revision" ]; then
      newest=$found
      newest_revision=$revision
    fi
  done
}

# 3. A stable path to it, because OpenClaw is configured with one. Renamed into place, so that the link always leads somewhere.
link_browser() {
  newest_browser
  [ -n "$newest" ] || return 1
  ln -sfn "$newest" "$state/bin/.new-browser" && mv -f "$state/bin/.new-browser" "$state/bin/chrome-headless-shell"
}

# The download runs beside the gateway and never delays it, with the version that the image pins, without our secrets, and
# as a child of init (hence the two shells), which reaps it.
install_browser() {
  unset MOORAGE_BRIDGE_KEY MOORAGE_BRIDGE
  export PLAYWRIGHT_BROWSERS_PATH="$browsers"
  cd "$app" || return 1
  if timeout "$install_limit" nice node node_modules/playwright-core/cli.js install --only-shell chromium \
    >"$browsers/install.log" 2>&1; then
    if link_browser; then say "the browser is installed"; else say "the browser is not where it was expected"; fi
  else
    say "the browser was not installed (exit $?): the next boot tries again"
  fi
}
if ! link_browser; then
  say "no browser on the volume: installing one in the background"
  (install_browser </dev/null >/dev/null &)
fi

# 4. The bridge lives in the gateway's own process: nothing to supervise, no second node, and it ends with the gateway.
# 5. The gateway.
export MOORAGE_BRIDGE=1
exec node --import "$bridge" "--max-old-space-size=$heap" "$app/openclaw.mjs" gateway --allow-unconfigured --bind loopback
