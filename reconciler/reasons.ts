// Reasons: each word that a condition, a fault or a verdict may carry, in the sentence of a person: what it means, what is
// being waited for, which part it is about, and what can be done. A test holds the list complete.

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

const says = (means: string, waitsOn: WaitsOn, subject: Subject, ...help: readonly Help[]): ReasonWords => ({
  means,
  waitsOn,
  subject,
  help,
})

/** Nothing is wrong: these say that a part is as it should be, or has not had its turn. */
const plain = {
  Ready: says('The volume is ready.', 'nothing', 'VolumeReady'),
  DuplicateVolumes: says(
    'Another volume of the same name exists; it is kept and not used.',
    'nothing',
    'VolumeReady',
    'diff',
  ),
  NotCreated: says('The volume has not been created yet.', 'step-in-progress', 'VolumeReady'),
  NoMachine: says('There is no machine.', 'step-in-progress', 'MachineReady'),
  Started: says('The machine runs.', 'nothing', 'MachineReady'),
  NotStarted: says('The machine does not run.', 'step-in-progress', 'MachineReady', 'retry'),
  Installed: says('The browser packages are installed.', 'nothing', 'Prepared'),
  NewRootFilesystem: says(
    'The machine has a new root filesystem, on which the browser packages are not installed yet.',
    'step-in-progress',
    'Prepared',
  ),
  Issued: says('Every certificate is issued.', 'nothing', 'CertificateReady'),
  Pending: says('A certificate is not issued yet.', 'step-in-progress', 'CertificateReady', 'retry'),
  Observed: says('Fly answered, and the last step went through.', 'nothing', 'Observed'),
  Running: says('The machine answers and its road is open.', 'nothing', 'Ready'),
  Suspended: says('The tenant is suspended.', 'nothing', 'MachineReady'),
  Asleep: says('The tenant sleeps because nobody uses it; the next request wakes it.', 'nothing', 'MachineReady'),
  Provisioning: says('The tenant is being provisioned.', 'step-in-progress', 'Ready', 'retry'),
  Acting: says('A step is being taken.', 'step-in-progress', 'Ready', 'retry'),
  Deleting: says('The tenant is being deleted.', 'step-in-progress', 'Ready', 'undelete'),
  Retained: says(
    'The machine is gone and the volume is kept for a while, so that the deletion can be taken back.',
    'time',
    'VolumeReady',
    'undelete',
  ),
  Purging: says('The volume is being destroyed; the deletion cannot be taken back any more.', 'time', 'VolumeReady'),
} satisfies Record<string, ReasonWords>

/** What the planner waits for. */
const waits = {
  NotSeen: says('Moorage has not looked at the last change yet.', 'leader-election', 'Accepted', 'retry'),
  OutcomeUnknown: says(
    'It is not known whether the last create went through; Moorage looks twice before it creates another.',
    'step-in-progress',
    'MachineReady',
    'retry',
  ),
  MachineBusy: says(
    'The machine is on its way from one state to another.',
    'step-in-progress',
    'MachineReady',
    'retry',
  ),
  VolumeBusy: says('The volume is not ready yet.', 'step-in-progress', 'VolumeReady', 'retry'),
  StrayMachine: says(
    'An earlier machine of this tenant came back and is being destroyed.',
    'step-in-progress',
    'MachineReady',
    'retry',
  ),
  GuestUnknown: says('The gateway in the machine has not been asked yet.', 'step-in-progress', 'Routable', 'retry'),
  GuestUnreachable: says(
    'The machine runs, but the gateway in it does not answer yet.',
    'step-in-progress',
    'Routable',
    'retry',
  ),
  GuestStarting: says('The gateway in the machine is starting.', 'step-in-progress', 'Routable', 'retry'),
  IdentityMismatch: says(
    'Whoever answers at the machine’s address cannot prove to be this tenant’s machine, so nothing is sent there.',
    'step-in-progress',
    'Routable',
    'retry',
  ),
  CertificatePending: says(
    'A certificate is not issued yet; a domain of the tenant’s own has to point to the platform first.',
    'fly',
    'CertificateReady',
    'retry',
  ),
  SnapshotPending: says(
    'The last snapshot of the data is not complete yet; the machine is kept until it is.',
    'step-in-progress',
    'VolumeReady',
    'retry',
  ),
  FallingAsleep: says(
    'Nobody uses the tenant; it is about to be put to sleep.',
    'step-in-progress',
    'MachineReady',
    'retry',
  ),
  Restoring: says('The volume made from a snapshot is being taken up.', 'step-in-progress', 'VolumeReady', 'retry'),
  CrashLoop: says(
    'The machine keeps stopping by itself; it is started again later and later.',
    'backoff',
    'MachineReady',
    'retry',
    'edit',
  ),
  UpdateNeeded: says(
    'The machine differs from what is wanted and is to be updated.',
    'step-in-progress',
    'MachineReady',
    'diff',
    'retry',
  ),
  UpdateDeferred: says(
    'The machine is in use and runs an earlier configuration; the new one is taken up at its next stop.',
    'time',
    'MachineReady',
    'update-now',
    'diff',
  ),
} satisfies Record<string, ReasonWords>

/** What holds this tenant or the whole fleet back on purpose. */
const holds = {
  Paused: says('Moorage looks on and changes nothing, because spec.paused is true.', 'person', 'Permitted', 'unpause'),
  ObserveOnly: says(
    'Moorage only observes in this mode and changes nothing.',
    'person',
    'Permitted',
    'normal',
    'fleet',
  ),
  ObservationSuspect: says(
    'Fly’s lists look incomplete, so nothing is created or destroyed because of what they do not show.',
    'fly',
    'Observed',
    'acknowledge',
    'fleet',
  ),
  BudgetExhausted: says(
    'So many machines were replaced or destroyed lately that Moorage pauses before the next.',
    'rate-budget',
    'Permitted',
    'fleet',
  ),
  PendingApproval: says(
    'A change among very many at once waits until an admin approves it.',
    'approval',
    'Permitted',
    'approve',
    'reject',
  ),
  MassChange: says(
    'Billing asked for very many changes in a short time; each counts once an admin approves it.',
    'approval',
    'Entitled',
    'approve',
    'reject',
  ),
} satisfies Record<string, ReasonWords>

/** What only a person can decide. */
const verdicts = {
  Stuck: says(
    'A machine or a volume has been on its way for much longer than Fly should need.',
    'person',
    'MachineReady',
    'retry',
  ),
  DriftPersists: says(
    'The machine was updated several times and still differs from what is wanted; somebody else may be changing it.',
    'person',
    'MachineReady',
    'diff',
    'retry',
  ),
  VolumeMissing: says(
    'The volume that holds the tenant’s data cannot be found on Fly, and is never replaced by an empty one.',
    'person',
    'VolumeReady',
    'restore',
    'delete',
  ),
  VolumeLeaving: says(
    'The volume that holds the tenant’s data is being destroyed on Fly.',
    'person',
    'VolumeReady',
    'restore',
    'delete',
  ),
  SnapshotMissing: says('There is no complete snapshot to restore from.', 'person', 'VolumeReady', 'restore'),
  IdentityConflict: says(
    'Two machines claim to be this tenant’s, and nothing is destroyed until somebody has looked at both.',
    'person',
    'MachineReady',
    'diff',
  ),
  PurgeBlocked: says(
    'The volume is past its retention and is kept all the same, because something speaks against destroying it.',
    'person',
    'VolumeReady',
    'undelete',
  ),
  ClassUnknown: says('The spec names a class that does not exist.', 'person', 'Accepted', 'edit'),
  PoolNotBuilt: says('Machines that stand ready are not provisioned by this version.', 'person', 'Accepted'),
  NoEnd: says('The steps would repeat without an end.', 'person', 'Ready', 'diff', 'retry'),
} satisfies Record<string, ReasonWords>

/** The faults of specs/faults.ts; a MachineBusy of Fly's is the planner's own. */
const faults = {
  NotFound: says('Fly does not know what the step was about (any more).', 'backoff', 'Observed', 'retry'),
  NameTaken: says('The name is taken on Fly; Moorage looks whose it is.', 'step-in-progress', 'MachineReady', 'retry'),
  ForeignResource: says(
    'Something on Fly has the name of this tenant’s machine and belongs to somebody else; it is not touched.',
    'person',
    'MachineReady',
    'retry',
  ),
  ConcurrentUpdate: says('Somebody else changed the same thing at the same moment.', 'backoff', 'Observed', 'retry'),
  LeaseHeld: says('Somebody else holds the machine’s lease on Fly.', 'backoff', 'MachineReady', 'retry'),
  VolumeBound: says('The volume is still bound to another machine.', 'backoff', 'VolumeReady', 'retry'),
  HostUnreachable: says(
    'Fly cannot reach the host that the machine is on; its data is not touched.',
    'host-down',
    'MachineReady',
    'restore',
    'retry',
  ),
  HostFull: says(
    'The host that holds the volume has no room for the machine now.',
    'capacity',
    'MachineReady',
    'retry',
  ),
  RegionFull: says('Fly has no room in the region now.', 'capacity', 'MachineReady', 'retry', 'edit'),
  QuotaExceeded: says('The Fly organization has reached its limit.', 'person', 'Permitted', 'retry'),
  RateLimited: says('Fly asks for fewer calls.', 'rate-budget', 'Observed', 'retry'),
  CommandFailed: says('A command in the machine failed.', 'backoff', 'Prepared', 'retry'),
  InvalidRequest: says('Fly refused what was asked of it as wrong.', 'person', 'Accepted', 'edit', 'retry'),
  Unauthorized: says('Fly does not accept Moorage’s token.', 'person', 'Observed', 'retry'),
  FlyUnavailable: says('Fly’s API cannot be reached or fails.', 'fly', 'Observed', 'retry'),
  FlyTimeout: says('Fly did not answer in time.', 'fly', 'Observed', 'retry'),
} satisfies Record<string, ReasonWords>

export const reasons: Readonly<Record<string, ReasonWords>> = { ...plain, ...waits, ...holds, ...verdicts, ...faults }

/** The words of a reason; undefined for one that is not in the list. */
export function reasonWords(reason: string): ReasonWords | undefined {
  return Object.hasOwn(reasons, reason) ? reasons[reason] : undefined
}
