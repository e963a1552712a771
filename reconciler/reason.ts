// Reason: what is told of a word that a condition, a fault or a verdict carries, and the parts that it may be about.

/** What has to happen before the tenant goes on. */
export type WaitsOn =
  | 'nothing'
  | 'step-in-progress'
  | 'backoff'
  | 'rate-budget'
  | 'capacity'
  | 'host-down'
  | 'fly'
  | 'approval'
  | 'entitlement'
  | 'time'
  | 'leader-election'
  | 'person'

export type Help =
  | 'retry'
  | 'restart'
  | 'edit'
  | 'unpause'
  | 'update-now'
  | 'undelete'
  | 'restore'
  | 'delete'
  | 'diff'
  | 'approve'
  | 'reject'
  | 'acknowledge'
  | 'normal'
  | 'fleet'
  | 'entitle'
  | 'run'

/** The parts of a tenant, in the order in which they depend on each other. */
export const subjects = [
  'Accepted',
  'Entitled',
  'Permitted',
  'Observed',
  'VolumeReady',
  'MachineReady',
  'Prepared',
  'CertificateReady',
  'Routable',
  'Ready',
] as const
export type Subject = (typeof subjects)[number]

export interface ReasonWords {
  /** A whole sentence. */
  readonly means: string
  readonly waitsOn: WaitsOn
  readonly subject: Subject
  readonly help: readonly Help[]
}

export const says = (means: string, waitsOn: WaitsOn, subject: Subject, ...help: readonly Help[]): ReasonWords => ({
  means,
  waitsOn,
  subject,
  help,
})
