// Words for what is held back on purpose, for what a person has to decide, and for what Fly refuses.
import { says, type ReasonWords } from './reason.ts'

/** What holds this tenant or the whole fleet back on purpose. */
export const holds = {
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
export const verdicts = {
  Stuck: says(
    'A machine or a volume has been on its way for much longer than Fly should need.',
    'person',
    'MachineReady',
    'retry',
  ),
  StartFails: says(
    'The machine keeps stopping by itself and is not started again, because each failing start may spend the tenant’s LLM tokens.',
    'person',
    'MachineReady',
    'edit',
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
  VolumeMismatch: says(
    'The machine does not mount the volume that holds the tenant’s data.',
    'person',
    'VolumeReady',
    'diff',
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
  NoEnd: says('The steps would repeat without an end.', 'person', 'Ready', 'diff', 'retry'),
} satisfies Record<string, ReasonWords>

/** The faults of specs/faults.ts; a MachineBusy of Fly's is the planner's own. */
export const faults = {
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
