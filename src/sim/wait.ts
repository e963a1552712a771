// GET wait: holds the call until a machine reads a state, for at most a minute of real time.
import { type Answer, type Call, listOf, machineOf, ok } from './call.ts'
import { deadline, invalid, notFound } from './errors.ts'
import type { MachineRecord } from './state.ts'
import type { World } from './world.ts'

const known = ['started', 'stopped', 'suspended', 'destroyed', 'failed', 'settled'] as const
const usualSeconds = 60
const restful = new Set(['created', 'started', 'stopped', 'suspended', 'failed', 'destroyed', 'replaced'])

/** Seconds, bare or as a Go duration. */
function timeoutMs(call: Call): number {
  const text = call.query.get('timeout')
  if (text === null || text === '') return usualSeconds * 1000
  const [, amount, unit] = /^(-?\d+(?:\.\d+)?)(ms|s|m)?$/.exec(text) ?? []
  if (amount === undefined) throw invalid(`invalid WaitRequest.Timeout: "${text}" is not a duration`)
  const ms = Number(amount) * (unit === 'ms' ? 1 : unit === 'm' ? 60_000 : 1000)
  if (ms < 1000 || ms > 60_000) throw invalid('invalid WaitRequest.Timeout: value must be inside range [1s, 1m0s]')
  return ms
}

function wantedStates(call: Call): readonly string[] {
  const states = listOf(call, 'state')
  const odd = states.find((state) => !known.some((each) => each === state))
  if (odd !== undefined) throw invalid(`invalid WaitRequest.State: unknown state "${odd}"`)
  return states.length === 0 ? ['started'] : states
}

/** The state as seen by somebody who waits for one version: an older one is over when the machine is replaced. */
const stateFor = (machine: MachineRecord, version: string | null): string =>
  version === null || version === machine.instanceId || machine.state === 'destroyed' ? machine.state : 'replaced'

function reached(state: string, machine: MachineRecord, wanted: readonly string[]): boolean {
  if (wanted.includes(state)) return true
  // What `settled` covers is not established; here it is every state that is not on its way to another.
  if (wanted.includes('settled') && restful.has(state) && machine.phase === undefined) return true
  return state === 'replaced' && wanted.includes('destroyed')
}

/** Answers once the state is there; 408 when the time is over, 404 when it can never come. */
export async function waitForState(world: World, call: Call): Promise<Answer> {
  const first = machineOf(world, call)
  const wanted = wantedStates(call)
  const limit = timeoutMs(call)
  const version = call.query.get('version') ?? call.query.get('instance_id')
  const { machine, state } = await watchState(world, first, version, wanted, limit)
  if (reached(state, machine, wanted))
    return ok({ ok: true, state: machine.state, event_id: machine.events[0]?.id ?? '', version: machine.instanceId })
  if (state === 'destroyed') throw notFound('machine')
  throw deadline(`machine failed to reach desired state, ${wanted.join(',')}, currently ${state}`)
}

interface Seen {
  readonly machine: MachineRecord
  readonly state: string
}

function watchState(
  world: World,
  first: MachineRecord,
  version: string | null,
  wanted: readonly string[],
  limit: number,
): Promise<Seen> {
  const over = (machine: MachineRecord): boolean =>
    machine.state === 'destroyed' || reached(stateFor(machine, version), machine, wanted)
  if (over(first)) return Promise.resolve({ machine: first, state: stateFor(first, version) })
  return new Promise((resolve) => {
    const finish = (machine: MachineRecord): void => {
      cancel()
      end()
      resolve({ machine, state: stateFor(machine, version) })
    }
    const cancel = world.clock.after(limit, () => finish(world.store.get('machine', first.id) ?? first))
    const end = world.store.watch((change) => {
      if (change.kind === 'machine' && change.record.id === first.id && over(change.record)) finish(change.record)
    })
  })
}
