// The calls about machines: one function for each endpoint.
import type {
  CallOptions,
  ExecRequest,
  LeasedOptions,
  MachineCreateRequest,
  MachineFilter,
  MachineUpdateRequest,
  StopRequest,
  WaitRequest,
} from './requests.ts'
import { nothing, type Send } from './call.ts'
import * as wire from './wire.ts'

export interface MachineCalls {
  /** Every machine of the app in one answer: Fly has no pages here. The list may lag behind what was just created. */
  machineList(app: string, filter?: MachineFilter, options?: CallOptions): Promise<readonly wire.Machine[]>
  /** A destroyed machine is answered with the state `destroyed`; notFound means that Fly does not know the id. */
  machineGet(app: string, id: string, options?: CallOptions): Promise<wire.Machine>
  /** A name in use is a Fault of kind nameTaken, with the id that has it. */
  machineCreate(app: string, request: MachineCreateRequest, options?: CallOptions): Promise<wire.Machine>
  machineUpdate(app: string, id: string, request: MachineUpdateRequest, options?: LeasedOptions): Promise<wire.Machine>
  machineStart(app: string, id: string, options?: LeasedOptions): Promise<wire.StartResult>
  /** Answers before the machine has stopped. */
  machineStop(app: string, id: string, request?: StopRequest, options?: LeasedOptions): Promise<void>
  /** Answers before the machine is suspended. */
  machineSuspend(app: string, id: string, options?: LeasedOptions): Promise<void>
  /** Answers before the machine is gone. Without `force` Fly refuses while it runs. */
  machineDelete(app: string, id: string, options?: DeleteOptions): Promise<void>
  /** A Fault of kind timeout with status 408 means "not there yet". */
  machineWait(app: string, id: string, request: WaitRequest, options?: CallOptions): Promise<wire.WaitResult>
  /** A command that ends with another code than 0 is a success here: read `exit_code`. */
  machineExec(app: string, id: string, request: ExecRequest, options?: LeasedOptions): Promise<wire.ExecResult>
  /** Newest first: 20 unless `limit` says otherwise, 50 at most. */
  machineEvents(app: string, id: string, limit?: number, options?: CallOptions): Promise<readonly wire.MachineEvent[]>
}

export interface DeleteOptions extends LeasedOptions {
  /** Also while it runs. */
  readonly force?: boolean | undefined
}

/** Which call it is, and whom Fly's rate limit counts it for: the machine, or the app where there is no machine. */
const at = (call: string, app: string, id?: string, ...below: readonly string[]) => ({
  call,
  identifier: id ?? app,
  path: ['apps', app, 'machines', ...(id === undefined ? [] : [id]), ...below],
})

const filterQuery = ({ metadata = {}, state, includeDeleted }: MachineFilter) => ({
  ...Object.fromEntries(Object.entries(metadata).map(([key, value]) => [`metadata.${key}`, value])),
  state: state?.join(','),
  include_deleted: includeDeleted === true ? true : undefined,
})

const startFailure = ({ status, message }: wire.StartResult): string | undefined =>
  status === 'error' ? (message ?? 'the machine could not be started') : undefined

const get = { method: 'GET' } as const
const post = { method: 'POST' } as const
const create = { method: 'POST', timeLimit: 'create', answer: wire.machine } as const

/** Fly's own limits where the caller sets none: 60 s for a wait; for exec it is not documented. */
const usualSeconds = 60

function writes(send: Send) {
  return {
    machineCreate: (app, body, options) => send({ ...at('machineCreate', app), ...create, body }, options),
    machineUpdate: (app, id, body, { nonce, ...options } = {}) =>
      send({ ...at('machineUpdate', app, id), ...create, body, nonce }, options),
    machineStart: (app, id, { nonce, ...options } = {}) =>
      send(
        { ...at('machineStart', app, id, 'start'), ...post, nonce, answer: wire.startResult, failed: startFailure },
        options,
      ),
    machineStop: (app, id, body, { nonce, ...options } = {}) =>
      send({ ...at('machineStop', app, id, 'stop'), ...post, body, nonce, answer: nothing }, options),
    machineSuspend: (app, id, { nonce, ...options } = {}) =>
      send({ ...at('machineSuspend', app, id, 'suspend'), ...post, nonce, answer: nothing }, options),
    machineDelete: (app, id, { force, nonce, ...options } = {}) => {
      const query = { force: force === true ? true : undefined }
      return send({ ...at('machineDelete', app, id), method: 'DELETE', query, nonce, answer: nothing }, options)
    },
    machineExec: (app, id, body, { nonce, ...options } = {}) => {
      const timeLimit = { flySeconds: body.timeout ?? usualSeconds }
      return send(
        { ...at('machineExec', app, id, 'exec'), ...post, body, nonce, timeLimit, answer: wire.execResult },
        options,
      )
    },
  } satisfies Partial<MachineCalls>
}

function reads(send: Send) {
  return {
    machineList: (app, filter = {}, options) =>
      send({ ...at('machineList', app), ...get, query: filterQuery(filter), answer: wire.machines }, options),
    machineGet: (app, id, options) => send({ ...at('machineGet', app, id), ...get, answer: wire.machine }, options),
    machineWait: (app, id, { state, version, timeoutSeconds: timeout }, options) => {
      const query = { state, version, timeout }
      const timeLimit = { flySeconds: timeout ?? usualSeconds }
      return send({ ...at('machineWait', app, id, 'wait'), ...get, query, timeLimit, answer: wire.waitResult }, options)
    },
    machineEvents: (app, id, limit, options) =>
      send(
        { ...at('machineEvents', app, id, 'events'), ...get, query: { limit }, answer: wire.machineEvents },
        options,
      ),
  } satisfies Partial<MachineCalls>
}

export const machineCalls = (send: Send): MachineCalls => ({ ...reads(send), ...writes(send) })
