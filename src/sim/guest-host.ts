// The port between the simulated Machines API and whatever runs a machine's inside (types only).

/** What a guest is started with. */
export interface GuestStart {
  readonly machine: string
  /** The machine's private address, an IPv4 literal out of 127.0.0.0/8. */
  readonly address: string
  readonly port: number
  readonly env: Readonly<Record<string, string>>
  /** The volume's own folder, kept over restarts. */
  readonly volumeFolder: string | undefined
  /** Emptied by the simulator whenever the root filesystem is new. */
  readonly rootFolder: string
  readonly scale: number
}

/** What a command left behind; `exit_signal` is 0 when it ended by itself. */
export interface ExecResult {
  readonly exit_code: number
  readonly exit_signal: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs the insides of machines. It may live longer than the API process that speaks to it. */
export interface GuestHost {
  running(): Promise<readonly { machine: string; suspended: boolean }[]>
  /** Returns when the "init" runs, not when the gateway answers. */
  start(guest: GuestStart): Promise<void>
  /** Idempotent. */
  stop(machine: string): Promise<void>
  /** The memory is kept and nothing answers. */
  suspend(machine: string): Promise<void>
  /** Answers again at once. */
  resume(machine: string): Promise<void>
  exec(machine: string, command: readonly string[], timeoutMs: number): Promise<ExecResult>
  /** The API process goes away, the machines stay up. */
  release(): Promise<void>
  /** Everything stops. */
  close(): Promise<void>
}
