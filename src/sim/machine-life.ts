// A machine's life as a pure state machine: what each operation does to a record, and what follows when it is over.
// The stages are those of Fly's documentation; the words of the refusals were measured on the live API by others.
import { type Refusal, precondition } from './errors.ts'
import type { GuestEnd } from './guest-host.ts'
import type { Wait } from './latency.ts'
import { rootPersistence, whyNotSuspendable } from './machine-config.ts'
import type { EventRecord, MachineRecord, MachineState, PhaseKind } from './state.ts'

/** What a transition takes from outside: the time, new identifiers, and how long a wait is for this machine. */
export interface Moment {
  readonly now: number
  ulid(): string
  /** `share` is the part of the wait that this stage takes. */
  wait(wait: Wait, state: MachineState, share?: number): number
}

/** The operations that callers ask for. */
export type Operation = 'start' | 'stop' | 'suspend' | 'restart' | 'update' | 'destroy'

const eventsKept = 50
const retryWindowMs = 5 * 60_000
// Fly's restart guide: ten retries within five minutes, then it stays stopped.
const retriesUnlessSaid = 10

const from: Readonly<Record<Operation, readonly MachineState[]>> = {
  start: ['stopped', 'suspended', 'suspending', 'failed'],
  stop: ['started', 'suspended'],
  suspend: ['started'],
  restart: ['started'],
  update: ['started', 'stopped', 'suspended', 'failed'],
  destroy: ['created', 'stopped', 'suspended', 'failed', 'launch_failed'],
}

const already: Readonly<Record<Operation, readonly MachineState[]>> = {
  start: ['started', 'starting'],
  stop: ['stopped', 'stopping'],
  suspend: ['suspended', 'suspending'],
  restart: ['restarting'],
  update: [],
  destroy: ['destroying'],
}

/** May this operation begin now? `already` means that it has nothing to do. */
export function judge(machine: MachineRecord, operation: Operation, now: number): 'go' | 'already' | Refusal {
  if (operation === 'start' && machine.phase?.kind === 'swap')
    return precondition('machine getting replaced, refusing to start')
  if (operation === 'update' && machine.phase?.kind === 'swap')
    return precondition(`unable to update machine from current state: 'replacing'`)
  if (already[operation].includes(machine.state)) return 'already'
  if (!from[operation].includes(machine.state))
    return precondition(`unable to ${operation} machine from current state: '${machine.state}'`)
  if (operation === 'start' && machine.activeUntil > now) return precondition('machine still active, refusing to start')
  const reason = operation === 'suspend' ? whyNotSuspendable(machine.config) : undefined
  return reason === undefined ? 'go' : precondition(`unable to suspend machine: ${reason}`)
}

type EventParts = Pick<EventRecord, 'type' | 'status' | 'source'> & { readonly request?: EventRecord['request'] }

/** Puts an event on top of the others. */
export function withEvent(machine: MachineRecord, parts: EventParts, moment: Moment): MachineRecord {
  const { request, ...rest } = parts
  const event = { id: moment.ulid(), ...rest, timestamp: moment.now, ...(request === undefined ? {} : { request }) }
  return { ...machine, updatedAt: moment.now, events: [event, ...machine.events].slice(0, eventsKept) }
}

interface Stage {
  readonly kind: PhaseKind
  readonly state: MachineState
  readonly ms: number
  readonly launch?: boolean
}

/** Enters a stage: the state reads so until its time is over and its effect is done. */
function enter(machine: MachineRecord, stage: Stage, moment: Moment): MachineRecord {
  const launch = stage.launch ?? machine.phase?.launch ?? true
  const phase = { kind: stage.kind, op: moment.ulid(), until: moment.now + stage.ms, launch }
  return { ...machine, state: stage.state, phase, updatedAt: moment.now }
}

/** Comes to rest in a state. */
function rest(machine: MachineRecord, state: MachineState, moment: Moment): MachineRecord {
  return { ...machine, state, steady: state, phase: undefined, updatedAt: moment.now }
}

const killedHard: GuestEnd = { code: 137, signal: 9, oom: false }

function exit(machine: MachineRecord, requested: boolean, moment: Moment, end = killedHard): MachineRecord {
  const exited = {
    exit_code: requested ? 0 : end.code,
    guest_exit_code: requested ? 0 : end.code,
    guest_signal: -1,
    signal: requested || end.signal === 0 ? -1 : end.signal,
    oom_killed: end.oom,
    requested_stop: requested,
    restarting: false,
    exited_at: new Date(moment.now).toISOString(),
  }
  const request = { exit_event: exited, restart_count: machine.restarts.length }
  return withEvent(machine, { type: 'exit', status: 'stopped', source: 'flyd', request }, moment)
}

/** From boot to `started`; a machine with a memory snapshot resumes. */
function starting(machine: MachineRecord, wait: Wait, share: number, moment: Moment): MachineRecord {
  const noted = withEvent(machine, { type: 'start', status: 'starting', source: 'user' }, moment)
  return enter(
    noted,
    { kind: 'start', state: 'starting', ms: moment.wait(wait, 'starting', share), launch: true },
    moment,
  )
}

/** A new machine: `creating` while the call blocks. */
export function create(machine: MachineRecord, launch: boolean, moment: Moment): MachineRecord {
  const noted = withEvent(machine, { type: 'launch', status: 'created', source: 'user' }, moment)
  return enter(
    noted,
    { kind: 'create', state: 'creating', ms: moment.wait('machineCreate', 'creating'), launch },
    moment,
  )
}

/** Begins an operation that `judge` let through; `launch` matters to an update only. */
export function begin(machine: MachineRecord, operation: Operation, launch: boolean, moment: Moment): MachineRecord {
  const note = (status: MachineState): MachineRecord =>
    withEvent(machine, { type: operation, status, source: 'user' }, moment)
  switch (operation) {
    case 'start':
      // Starting a machine that is being suspended cancels that: its memory was never let go.
      if (machine.state === 'suspending') return starting({ ...machine, memory: true }, 'resume', 1, moment)
      return starting({ ...machine, restarts: [] }, machine.memory ? 'resume' : 'start', 1, moment)
    case 'stop':
      return enter(note('stopping'), { kind: 'stop', state: 'stopping', ms: moment.wait('stop', 'stopping') }, moment)
    case 'suspend':
      return enter(
        note('suspending'),
        { kind: 'suspend', state: 'suspending', ms: moment.wait('suspend', 'suspending') },
        moment,
      )
    case 'restart':
      return enter(
        { ...note('restarting'), freshRoot: rootPersistence(machine.config) === 'never' },
        { kind: 'restart', state: 'restarting', ms: moment.wait('restart', 'restarting') },
        moment,
      )
    case 'update':
      return updating(machine, launch, moment)
    case 'destroy':
      return enter(
        note('destroying'),
        { kind: 'destroy', state: 'destroying', ms: moment.wait('destroy', 'destroying'), launch: false },
        moment,
      )
  }
}

function updating(machine: MachineRecord, launch: boolean, moment: Moment): MachineRecord {
  const keepRoot = rootPersistence(machine.config) === 'always'
  const changed = { ...machine, memory: false, freshRoot: !keepRoot, restarts: [] }
  if (machine.state === 'started') {
    const noted = withEvent(changed, { type: 'update', status: 'replacing', source: 'user' }, moment)
    const ms = moment.wait('replace', 'replacing', 0.4)
    return enter(noted, { kind: 'replace', state: 'replacing', ms, launch }, moment)
  }
  const noted = withEvent(changed, { type: 'update', status: 'updating', source: 'user' }, moment)
  return enter(noted, { kind: 'update', state: 'updating', ms: moment.wait('update', 'updating'), launch }, moment)
}

/** The end of the present stage: either a state to rest in, or the next stage. */
export function finish(machine: MachineRecord, kind: PhaseKind, moment: Moment): MachineRecord {
  const launch = machine.phase?.launch ?? false
  switch (kind) {
    case 'create': {
      const ms = moment.wait('coldStart', 'created', 0.75)
      return { ...enter(machine, { kind: 'prepare', state: 'created', ms, launch }, moment), steady: 'created' }
    }
    case 'prepare':
      return launch ? starting(machine, 'coldStart', 0.25, moment) : rest(machine, 'stopped', moment)
    case 'start':
    case 'restart': {
      const noted = withEvent(machine, { type: 'start', status: 'started', source: 'flyd' }, moment)
      return rest({ ...noted, memory: false, freshRoot: false, activeUntil: 0 }, 'started', moment)
    }
    case 'stop':
      return stopped(exit(machine, true, moment), moment)
    case 'suspend': {
      const noted = withEvent(machine, { type: 'suspend', status: 'suspended', source: 'flyd' }, moment)
      return rest({ ...noted, memory: true }, 'suspended', moment)
    }
    case 'update':
      return launch ? starting(machine, 'start', 1, moment) : rest(machine, 'stopped', moment)
    case 'replace': {
      // Measured by others: a machine being replaced can read `stopped`, with an exit that nobody asked for.
      const ms = moment.wait('replace', 'replacing', 0.2)
      return enter(exit(machine, false, moment), { kind: 'swap', state: 'stopped', ms }, moment)
    }
    case 'swap': {
      const afresh = withEvent(
        { ...machine, events: [] },
        { type: 'launch', status: 'created', source: 'user' },
        moment,
      )
      return launch ? starting(afresh, 'replace', 0.4, moment) : rest(afresh, 'stopped', moment)
    }
    case 'fail':
    case 'destroy': {
      const noted = withEvent(machine, { type: 'destroy', status: 'destroyed', source: 'flyd' }, moment)
      return rest({ ...noted, memory: false, lease: undefined }, 'destroyed', moment)
    }
  }
}

function stopped(machine: MachineRecord, moment: Moment): MachineRecord {
  const freshRoot = machine.freshRoot || rootPersistence(machine.config) === 'never'
  const ended = { ...machine, freshRoot, memory: false }
  if (machine.config.auto_destroy === true) return begin(ended, 'destroy', false, moment)
  return { ...rest(ended, 'stopped', moment), activeUntil: moment.now + moment.wait('activeLag', 'stopped') }
}

/** The guest of a started machine ended by itself: the restart policy says what happens. */
export function died(machine: MachineRecord, moment: Moment, end?: GuestEnd): MachineRecord {
  const gone = stopped(exit({ ...machine, memory: false }, false, moment, end), moment)
  const { policy, max_retries: most = retriesUnlessSaid } = machine.config.restart ?? { policy: 'on-failure' }
  const recent = machine.restarts.filter((at) => at > moment.now - retryWindowMs)
  const failing = end === undefined || end.code !== 0
  const again = policy === 'always' || (policy === 'on-failure' && failing && recent.length < most)
  if (gone.state === 'destroying' || !again) return gone
  return starting({ ...gone, restarts: [...recent, moment.now] }, 'start', 1, moment)
}

/** The host came back after a reboot: what ran there starts again, with a new root filesystem. */
export function rebooted(machine: MachineRecord, moment: Moment): MachineRecord {
  const freshRoot = rootPersistence(machine.config) === 'never'
  return starting({ ...exit(machine, false, moment), memory: false, freshRoot }, 'start', 1, moment)
}

/** Given up by its host. */
export const failed = (machine: MachineRecord, moment: Moment): MachineRecord =>
  rest({ ...exit(machine, false, moment), memory: false }, 'failed', moment)

/** The image or the host would not start it. */
export function launchFailed(machine: MachineRecord, moment: Moment): MachineRecord {
  const first = machine.steady === 'created'
  const status = first ? 'launch_failed' : 'stopped'
  const noted = withEvent(machine, { type: 'launch', status, source: 'flyd' }, moment)
  if (!first) return stopped(noted, moment)
  const ms = moment.wait('destroy', 'launch_failed')
  return enter(noted, { kind: 'fail', state: 'launch_failed', ms, launch: false }, moment)
}
