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
  /** What only a machine that really runs needs to know. */
  readonly launch: GuestLaunch
}

/** The machine config's word on how its inside is started and ended. */
export interface GuestLaunch {
  /** `init.exec`; empty where the image decides. */
  readonly command: readonly string[]
  /** Written before anything is mounted; the content in base64. */
  readonly files: readonly { readonly path: string; readonly content: string; readonly mode: number }[]
  /** Where the volume is mounted. */
  readonly mountPath: string | undefined
  readonly signal: NodeJS.Signals
  readonly killAfterMs: number
}

/** How a guest's main process ended by itself. */
export interface GuestEnd {
  readonly code: number
  readonly signal: number
  readonly oom: boolean
}

/** One machine's inside. */
export interface RunningGuest {
  readonly suspended: boolean
  /** Set once it has ended by itself; one that cannot leaves it undefined. */
  readonly end: GuestEnd | undefined
  suspend(): Promise<void>
  resume(): Promise<void>
  stop(): Promise<void>
  exec(command: readonly string[], timeoutMs: number): Promise<ExecResult>
}

export interface GuestState {
  readonly machine: string
  readonly suspended: boolean
  /** It has ended by itself and waits to be stopped or started anew. */
  readonly end?: GuestEnd
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
  running(): Promise<readonly GuestState[]>
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
