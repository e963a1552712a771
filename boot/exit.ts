// How the main process of a tenant's machine may end, in words. The codes below 78 are the boot script's own; 78 is
// OpenClaw's, and those above 128 are signals, as a shell counts them. Pure.

const words: Readonly<Record<number, string>> = {
  0: 'it ended without an error',
  1: 'OpenClaw failed to start, or failed as it ran',
  64: 'a setting that the boot script needs is missing',
  65: 'there is no usable configuration',
  66: 'the image lacks OpenClaw or the bridge',
  71: 'the bridge cannot listen on the private address',
  73: 'the volume is full or cannot be written',
  78: 'OpenClaw refuses its configuration',
  127: 'its command was not found',
  134: 'Node aborted, most often for want of memory',
  137: 'it was killed, most often for want of memory',
  143: 'it was asked to end',
}

/** As in "exit code 78: OpenClaw refuses its configuration". */
export function exitWords(code: number): string {
  const means = words[code]
  return means === undefined ? `exit code ${code}` : `exit code ${code}: ${means}`
}

const ofSettings: readonly number[] = [64, 65, 66, 78]

/** Whether the same settings will make it end so again. */
export function isSettingsExit(code: number): boolean {
  return ofSettings.includes(code)
}
