// Words for what is as it should be, and for what passes by itself.
import { says, type ReasonWords } from './reason.ts'

/** Nothing is wrong: these say that a part is as it should be, or has not had its turn. */
export const plain = {
  Ready: says('The volume is ready.', 'nothing', 'VolumeReady'),
  DuplicateVolumes: says(
    'Another volume of the same name exists; it is kept and not used.',
    'nothing',
    'VolumeReady',
    'diff',
  ),
  AlmostFull: says('The volume is almost full.', 'nothing', 'VolumeReady', 'edit'),
  NotCreated: says('The volume has not been created yet.', 'step-in-progress', 'VolumeReady'),
  NoMachine: says('There is no machine.', 'step-in-progress', 'MachineReady'),
  Started: says('The machine runs.', 'nothing', 'MachineReady'),
  NotStarted: says('The machine does not run.', 'step-in-progress', 'MachineReady', 'retry'),
  Exited: says('The machine’s main process has ended by itself.', 'step-in-progress', 'MachineReady', 'retry', 'edit'),
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
  Warm: says('It stands ready in a pool for a tenant to come.', 'nothing', 'Ready'),
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
export const waits = {
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
    'restart',
  ),
  GuestStarting: says('The gateway in the machine is starting.', 'step-in-progress', 'Routable', 'retry', 'restart'),
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
  GatewayBusy: says(
    'The gateway still works on something, which it finishes before its machine is put to rest.',
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
