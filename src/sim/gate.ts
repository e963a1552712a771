// What every call passes: counting, outages, the token, the rate limits, faults, hosts that are down, leases.
import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { hostIsDown } from './agreement.ts'
import type { Answer, Call } from './call.ts'
import { Refusal, aborted, invalid, limited, precondition, unauthenticated, unprocessable } from './errors.ts'
import type { Subject } from './faults.ts'
import { checkLease } from './leases.ts'
import type { Limits } from './limits.ts'
import type { Match } from './routes.ts'
import type { FaultRecord, MachineRecord } from './state.ts'
import { type World, sleep } from './world.ts'

/** What becomes of a call: an answer, or a connection that breaks without one. */
export type Outcome = Answer | 'drop'

/** A request as far as it is read. */
export interface Incoming {
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly body: unknown
}

const usualSentences: Readonly<Record<number, string | undefined>> = {
  401: 'Authenticate: token validation error',
  403: 'unauthorized',
  404: 'not_found: not found',
  408: 'deadline_exceeded: deadline exceeded',
  409: 'aborted: conflict',
  412: 'failed_precondition: precondition failed',
  422: 'Validation failed',
  429: 'rate limit exceeded',
  500: 'internal: internal server error',
  502: 'bad gateway',
  503: 'unavailable: service unavailable',
  504: 'gateway timeout',
}

const halfAnAnswer = '{"id":'

/** Words after `Bearer` or `FlyV1`; any will do, none will not. Only a digest of them is kept. */
function callerOf(headers: IncomingHttpHeaders): string {
  const [, token] = /^(?:Bearer|FlyV1)\s+(\S.*)$/i.exec(headers.authorization ?? '') ?? []
  if (token === undefined) throw unauthenticated()
  const digest = createHash('sha256').update(token).digest('hex')
  return [8, 12, 16, 20, 32].map((end, at) => digest.slice([0, 8, 12, 16, 20][at], end)).join('-')
}

/** Fly counts an action by the machine, volume, app or organisation that it is about. */
function identifierOf(params: Match['params'], body: unknown): string {
  const org = (body as { org_slug?: unknown } | undefined)?.org_slug
  return params['machine'] ?? params['volume'] ?? params['app'] ?? params['org'] ?? (typeof org === 'string' ? org : '')
}

/** What the rules of faults.ts are held against: the object in the path, or the one that the body is to make. */
function subjectOf(world: World, found: Match, body: unknown): Subject {
  const { app, machine: id, volume, hostname } = found.params
  const asked = body as { name?: unknown; hostname?: unknown; region?: unknown } | undefined
  const machine = id === undefined ? undefined : world.store.get('machine', id)
  const disk = volume === undefined ? undefined : world.store.get('volume', volume)
  const names = [machine?.name, disk?.name, hostname, asked?.name, asked?.hostname]
  const region = machine?.region ?? disk?.region ?? asked?.region
  return {
    action: found.route.action,
    app,
    machine: id,
    names: names.filter((name) => typeof name === 'string'),
    region: typeof region === 'string' ? region : undefined,
  }
}

/** The refusal that Fly words differently for each action when there is no room. */
function noRoom(action: string, body: unknown): Refusal | undefined {
  const config = (body as { config?: { mounts?: readonly { volume?: unknown }[] } } | undefined)?.config
  const volume = config?.mounts?.[0]?.volume
  switch (action) {
    case 'machineCreate':
      return typeof volume === 'string'
        ? precondition(
            `insufficient resources to create new machine with existing volume '${volume}'`,
            'volume_placement_capacity',
          )
        : unprocessable('could not find a candidate host with enough capacity', 'insufficient_capacity')
    case 'machineStart':
    case 'machineUpdate':
      return aborted(
        'could not reserve resource for machine: insufficient memory available to fulfill request on the current host',
      )
    case 'volumeCreate':
      return invalid('no capacity in this region')
    default:
      return undefined
  }
}

function told({ status = 503, body, text, headers }: FaultRecord): Answer {
  const usual = status < 300 ? undefined : { error: usualSentences[status] ?? `status ${status}` }
  return { status, body: body ?? usual, text, headers }
}

const machineIn = (world: World, found: Match): MachineRecord | undefined => {
  const machine = world.store.get('machine', found.params['machine'] ?? '')
  return machine?.app === found.params['app'] && machine?.state !== 'destroyed' ? machine : undefined
}

/** The faults that come before any effect. */
async function before(world: World, subject: Subject, found: Match, body: unknown): Promise<Outcome | undefined> {
  const { action } = found.route
  const { faults } = world
  const delay = faults.take('delay', subject)
  if (delay !== undefined) await sleep(world, delay.ms ?? 1000)
  if (faults.take('lostBefore', subject) !== undefined) return 'drop'
  const status = faults.take('status', subject)
  if (status !== undefined) return told(status)
  const refusal = noRoom(action, body)
  if (refusal !== undefined && faults.take('capacity', subject) !== undefined) throw refusal
  const machine = machineIn(world, found)
  if (machine === undefined) return undefined
  const untouched = found.route.reads && action !== 'machineProcesses'
  if (!untouched && hostIsDown(world, machine))
    throw new Refusal(503, { error: 'unavailable: the host of this machine is unreachable' })
  return undefined
}

/** Takes a call all the way to its answer. A Refusal is thrown. */
export async function pass(world: World, limits: Limits, found: Match, incoming: Incoming): Promise<Outcome> {
  const { route, params } = found
  const subject = subjectOf(world, found, incoming.body)
  world.store.called(route.action)
  const outage = world.faults.take('outage', subject)
  if (outage !== undefined && outage.status === undefined) return 'drop'
  if (outage !== undefined) return told(outage)
  const caller = callerOf(incoming.headers)
  if (!limits.take(route.action, identifierOf(params, incoming.body))) throw limited()
  const call: Call = { ...incoming, action: route.action, params, caller }
  if (!route.slow) await sleep(world, world.latency.draw(route.reads ? 'read' : 'write'))
  const fault = await before(world, subject, found, incoming.body)
  if (fault !== undefined) return fault
  const machine = machineIn(world, found)
  if (route.leased && machine !== undefined) checkLease(world, call, machine)
  const lost = world.faults.take('lostReply', subject) !== undefined
  const garbled = world.faults.take('garbled', subject)
  try {
    const answer = await route.handler(world, call)
    if (garbled !== undefined) return { ...answer, text: garbled.text ?? halfAnAnswer }
    return lost ? 'drop' : answer
  } catch (error) {
    if (lost && error instanceof Refusal) return 'drop'
    throw error
  }
}
