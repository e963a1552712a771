// Every row of the retry table, with the sentences that were measured on the live API or stand in Fly's own tests.
import { inspect } from 'node:util'
import test from 'ava'
import { faultRules, type FaultKind } from '../../specs/faults.ts'
import { faultOf, networkFault, type Reply } from '../../src/fly/errors.ts'

const now = Date.UTC(2026, 8, 20, 12)

const judge = (status: number, body: unknown, headers: Record<string, string> = {}, call = 'machineCreate') => {
  const reply: Reply = {
    status,
    body: typeof body === 'string' ? body : JSON.stringify(body),
    header: (name) => headers[name],
  }
  return faultOf(reply, { call, now: () => now, scrub: (text) => text })
}

const said = (error: string, status?: string) => (status === undefined ? { error } : { error, status })

type Case = readonly [kind: FaultKind, status: number, body: unknown]

const cases: readonly Case[] = [
  // Waiting and ambiguity
  ['timeout', 408, said('deadline_exceeded: machine failed to reach desired state, started, currently stopped')],
  ['timeout', 408, said('deadline_exceeded: request took too long')],
  ['timeout', 408, ''],
  ['unavailable', 500, said('internal server error')],
  ['unavailable', 502, '<html><body>Bad Gateway</body></html>'],
  ['hostDown', 503, said('host unreachable')],
  ['unavailable', 504, ''],
  // The limit
  ['throttled', 429, said('rate limit exceeded')],
  ['throttled', 429, '<html>slow down</html>'],
  ['throttled', 429, ''],
  // Races
  ['raced', 409, said('aborted: machine update failed due to concurrent update')],
  ['raced', 409, said('aborted: current_version does not match')],
  ['raced', 409, ''],
  ['raced', 412, said('failed_precondition: machine_version 01ABC is stale')],
  ['raced', 422, said('uniqueness constraint violated')],
  // Capacity of a host
  [
    'hostFull',
    409,
    said(
      'aborted: could not reserve resource for machine: insufficient memory available to fulfill request on the current host',
    ),
  ],
  ['hostFull', 409, said('aborted: insufficient CPUs available to fulfill request')],
  ['hostFull', 409, said('insufficient IPs available to fulfill request')],
  ['hostFull', 409, said('insufficient resources available to fulfill request')],
  ['hostFull', 412, said('insufficient resources to create new machine with existing volume vol_4qpnj5n0xyoq3w8r')],
  ['hostFull', 412, said('no room', 'volume_placement_capacity')],
  ['hostFull', 422, said('no room', 'volume_placement_capacity')],
  // Capacity of a region
  ['regionFull', 409, said('aborted: no capacity')],
  ['regionFull', 400, said('no capacity')],
  ['regionFull', 422, said('could not find a candidate host', 'insufficient_capacity')],
  ['regionFull', 422, said('could not find a candidate host')],
  // Passing states
  ['transient', 412, said('failed_precondition: machine getting replaced, refusing to start')],
  ['transient', 412, said('failed_precondition: machine still active, refusing to start')],
  ['transient', 412, said("failed_precondition: unable to start machine from current state: 'created'")],
  ['transient', 412, said('failed_precondition: snapshot is already scheduled at 2026-09-20T12:00:00Z')],
  ['transient', 412, ''],
  ['transient', 400, said('invalid machine ID')],
  // A volume that is still held
  ['bound', 412, said('failed_precondition: volume is currently bound to machine: 148e21ea7e46e8')],
  ['bound', 412, said('failed_precondition: volume already claimed by machine 148e21ea7e46e8')],
  // Quota
  ['quota', 403, said('organization is over the allowed quota for iad')],
  ['quota', 422, said('You have reached the maximum number of machines for this account')],
  ['quota', 422, said('account limit of 50 machines reached')],
  // Who we are
  ['unauthorized', 401, said('Authenticate: token validation error')],
  ['unauthorized', 403, said('forbidden')],
  // Absence
  ['notFound', 404, said('not_found: machine not found')],
  ['notFound', 404, { status: 'error', message: 'lease not found' }],
  ['notFound', 404, ''],
  ['notFound', 410, said('gone')],
  ['notFound', 400, said('volume not found')],
  // Names
  ['nameTaken', 422, said('Validation failed: Name has already been taken', 'name_taken')],
  ['nameTaken', 422, said('Validation failed: Name has already been taken')],
  ['nameTaken', 422, said('nope', 'name_taken')],
  // Requests that are wrong
  ['invalid', 400, said('invalid_argument: value must be inside range [1s, 1m0s]')],
  ['invalid', 422, said('Validation failed: Name under 63 chars using numbers, lowercase letters and dashes')],
  ['invalid', 400, 'bad request'],
  ['invalid', 415, ''],
  // Somebody else than Fly
  ['unavailable', 404, '<!DOCTYPE html><title>Log in to the network</title>'],
  ['unavailable', 403, '<html>blocked</html>'],
  ['unavailable', 302, ''],
]

for (const [kind, status, body] of cases)
  test(`${status} ${JSON.stringify(body).slice(0, 90)} is ${kind}`, (t) => t.is(judge(status, body).kind, kind))

test('every kind that an answer can have is in the table above', (t) => {
  const elsewhere = new Set<string>(['foreign', 'commandFailed', 'leased'])
  const covered = new Set(cases.map(([kind]) => kind))
  t.deepEqual(
    Object.keys(faultRules).filter((kind) => !elsewhere.has(kind) && !covered.has(kind as FaultKind)),
    [],
  )
})

test('a 5xx that carries words of capacity, names or quota says only that Fly is in trouble', (t) => {
  for (const [kind, , body] of cases) t.is(judge(503, body).kind, kind === 'hostDown' ? 'hostDown' : 'unavailable')
})

test('the status word outranks the sentence', (t) => {
  t.is(
    judge(409, said('aborted: insufficient memory available to fulfill request', 'insufficient_capacity')).kind,
    'regionFull',
  )
  t.is(judge(422, said('aborted: no capacity', 'volume_placement_capacity')).kind, 'hostFull')
})

test('a status word that says nothing leaves the sentence to decide', (t) => {
  t.is(judge(409, said('aborted: no capacity', 'unknown')).kind, 'regionFull')
  t.is(judge(409, said('aborted: no capacity', 'something_new')).kind, 'regionFull')
})

test('a machine name in use comes with the id that has it', (t) => {
  const sentence =
    'already_exists: unique machine name violation, machine ID 148e21ea7e46e8 already exists with name "kc-dev-abc-1"'
  for (const status of [409, 422]) {
    const fault = judge(status, said(sentence))
    t.is(fault.kind, 'nameTaken')
    t.is(fault.details.existingId, '148e21ea7e46e8')
  }
  t.is(judge(422, said('nope', 'name_taken')).details.existingId, undefined)
})

test('a lease held by another says when to come back', (t) => {
  const message =
    'machine ID 148e21ea7e46e8 lease currently held by 4b2c@tokens.fly.io, expires at 2026-09-20T12:00:13Z'
  const fault = judge(409, { status: 'error', message }, {}, 'machineUpdate')
  t.is(fault.kind, 'leased')
  t.is(fault.details.retryAfterMs, 13_000)
  t.is(fault.message, `Fly answered 409 to machineUpdate: ${message}`)
})

test('Retry-After is read as seconds and as a date', (t) => {
  t.is(judge(429, said('slow'), { 'retry-after': '7' }).details.retryAfterMs, 7_000)
  t.is(judge(429, said('slow'), { 'retry-after': new Date(now + 9_000).toUTCString() }).details.retryAfterMs, 9_000)
  t.is(judge(429, said('slow'), { 'retry-after': new Date(now - 9_000).toUTCString() }).details.retryAfterMs, 0)
  t.is(judge(429, said('slow'), { 'retry-after': 'soon' }).details.retryAfterMs, undefined)
  t.is(judge(429, said('slow')).details.retryAfterMs, undefined)
})

test('the message is a sentence, and the details keep what Fly said', (t) => {
  const fault = judge(409, said('aborted: no capacity in iad'), { 'fly-request-id': '01ABC-iad' })
  t.is(fault.message, 'Fly answered 409 to machineCreate: no capacity in iad')
  t.like(fault.details, {
    call: 'machineCreate',
    status: 409,
    said: 'aborted: no capacity in iad',
    requestId: '01ABC-iad',
  })
})

test('long sentences are shortened, and pages and silence are named', (t) => {
  const fault = judge(400, said(`invalid_argument: ${'x'.repeat(5_000)}`))
  t.true(fault.message.length < 260)
  t.is(fault.details.said?.length, 500)
  t.is(judge(503, '').message, 'Fly answered 503 to machineCreate without a reason')
  t.regex(judge(502, '<html>Bad Gateway</html>').message, /something in between answered$/)
})

test('only a call that may have had its effect is ambiguous', (t) => {
  const ambiguous = cases.filter(([, status, body]) => judge(status, body).ambiguous).map(([kind]) => kind)
  t.deepEqual([...new Set(ambiguous)].sort(), ['hostDown', 'timeout', 'unavailable'])
})

test('a lost connection is told in words, and its cause holds nothing of the request', (t) => {
  const inner = Object.assign(new Error('read ECONNRESET while sending canary'), { code: 'ECONNRESET', canary: 1 })
  const outer = new TypeError('fetch failed', { cause: new AggregateError([inner]) })
  const judged = { call: 'machineGet', now: () => now, scrub: (text: string) => text.replaceAll('canary', '[token]') }
  const fault = networkFault(outer, judged)
  t.is(fault.message, 'Fly could not be reached for machineGet: the connection broke off')
  t.regex(inspect(fault.cause), /ECONNRESET/)
  t.notRegex(inspect(fault, { depth: Infinity, showHidden: true }), /canary/)
  t.is(networkFault(new Error('odd canary'), judged).message, 'Fly could not be reached for machineGet: odd [token]')
  t.is(networkFault('gone', judged).kind, 'unavailable')
})
