// The command that installs Chromium's system packages. Fly's exec gives up after about 30 seconds and a cold apt takes
// longer at times, so the work runs detached and each call waits for it a while.

/** The exit code of a call that ended before the work did: call again. */
export const PREPARE_AGAIN = 75

// The markers lie on the root filesystem on purpose: they vanish with the packages that they speak of. A root filesystem
// can outlive a boot (a resume that failed), a process id cannot: so the worker's is kept per boot.
const script = `set -eu
umask 077
app=\${MOORAGE_APP_DIR:-/app}
state=\${MOORAGE_PREPARE_DIR:-/var/lib/moorage/prepare}
tries=\${MOORAGE_PREPARE_WAIT:-20}
export app state
pid=$state/pid-$(cat /proc/sys/kernel/random/boot_id 2>/dev/null || echo unknown)
running() { [ -s "$pid" ] && kill -0 "$(cat "$pid")" 2>/dev/null; }
mkdir -p "$state"
[ -e "$state/done" ] && exit 0
if ! running; then
  setsid sh -c "$1" </dev/null >"$state/log" 2>&1 &
  echo "$!" >"$pid"
fi
while [ ! -e "$state/done" ] && running && [ "$tries" -gt 0 ]; do
  sleep 1
  tries=$((tries - 1))
done
[ -e "$state/done" ] && exit 0
if running; then
  echo "still installing: call again"
  exit ${PREPARE_AGAIN}
fi
tail -n 20 "$state/log" >&2
exit 1`

const worker = 'cd "$app" && node node_modules/playwright-core/cli.js install-deps chromium && : >"$state/done"'

/**
 * Installs Chromium's system packages with the playwright-core that the image pins. Idempotent: exit 0 once they are there,
 * `PREPARE_AGAIN` while the work goes on, 1 with the end of its log when it failed (a further call starts it anew).
 */
export function prepareCommand(): readonly string[] {
  return ['/bin/sh', '-c', script, 'moorage-prepare', worker]
}
