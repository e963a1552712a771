// `moor get --watch`: a line for each change in the server's columns, over a break, until Ctrl-C.
import { createServer, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { RowPrinter } from '../../src/cli/row-printer.ts'
import { eventsIn } from '../../src/store/events.ts'
import { until } from '../helpers/processes.ts'
import { startTestApi, stored, tenantDocument, token } from '../api/fixture.ts'
import { startMoor, type RunningMoor } from './fixture.ts'

/** A road to the API that can be cut. */
async function road(t: ExecutionContext, url: string): Promise<{ url: string; cut: () => void }> {
  const sockets = new Set<Socket>()
  const { port } = new URL(url)
  const server = createServer((socket) => {
    const far = connect(Number(port), '127.0.0.1')
    for (const one of [socket, far]) {
      sockets.add(one)
      one.on('error', () => one.destroy())
      one.on('close', () => sockets.delete(one))
    }
    socket.pipe(far).pipe(socket)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const cut = () => sockets.forEach((one) => one.destroy())
  t.teardown(() => {
    cut()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, cut }
}

const prints = ({ out }: RunningMoor, count: number) =>
  until(`${count} lines`, 30_000, async () => (out().split('\n').length > count ? true : undefined))

const firstWords = ({ out }: RunningMoor) =>
  out()
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ +/).slice(0, 4).join(' '))

test('tenants: the list, then a line for each change that can be seen, over a break, until Ctrl-C', async (t) => {
  const api = await startTestApi(t)
  await api.putJson('acme', tenantDocument('acme'))
  const { url, cut } = await road(t, api.url)
  const moor = startMoor(t, ['get', '-w', '--output-watch-events'], { MOORAGE_API: url, MOORAGE_TOKEN: token })
  await prints(moor, 2)
  await api.putJson('beta', tenantDocument('beta', { region: 'ams' }))
  await prints(moor, 3)
  // Nothing that the columns show.
  await api.putJson('acme', tenantDocument('acme', { paused: true }))
  cut()
  await api.putJson('gamma', tenantDocument('gamma', { class: 'byok' }))
  await prints(moor, 4)
  await api.tenants.purge(await stored(api.tenants, 'beta'))
  await prints(moor, 5)
  t.deepEqual(firstWords(moor), [
    'EVENT NAME READY STATE',
    'ADDED acme Unknown running',
    'ADDED beta Unknown running',
    'ADDED gamma Unknown running',
    'DELETED beta Unknown running',
  ])
  t.regex(moor.err(), /^moor: the stream broke; trying to go on\n$/)
  t.is(await moor.interrupt(), 130)
})

test('in JSON it is one object a line', async (t) => {
  const api = await startTestApi(t)
  await api.putJson('acme', tenantDocument('acme'))
  const env = { MOORAGE_API: api.url, MOORAGE_TOKEN: token }
  const moor = startMoor(t, ['get', 'tenants', '-w', '-o', 'json', '--field-selector', 'name=acme'], env)
  await prints(moor, 1)
  await api.putJson('acme', tenantDocument('acme', { state: 'suspended' }))
  await prints(moor, 2)
  const lines = moor.out().trimEnd().split('\n')
  t.deepEqual(
    lines.map((line) => (JSON.parse(line) as { spec: { state: string } }).spec.state),
    ['running', 'suspended'],
  )
  t.is(await moor.interrupt(), 130)
})

test('when all is told again, only what has changed is printed again', (t) => {
  const lines: string[] = []
  const printer = new RowPrinter({ print: (line) => lines.push(line), says: true, complete: true })
  const row = (type: string, name: string, state: string, age: string) =>
    printer.take({ type, data: { columns: ['NAME', 'STATE', 'AGE'], name, cells: [name, state, age] } })
  const mark = (type: string) => printer.take({ type, data: {} })
  row('ADDED', 'a', 'running', '9s')
  row('ADDED', 'bravo', 'suspended', '8s')
  t.deepEqual(lines, [])
  mark('BOOKMARK')
  mark('RELIST')
  row('ADDED', 'a', 'running', '10s')
  row('ADDED', 'bravo', 'running', '9s')
  mark('BOOKMARK')
  row('MODIFIED', 'a', 'running', '11s')
  mark('RELIST')
  row('ADDED', 'a', 'running', '12s')
  mark('BOOKMARK')
  t.deepEqual(lines, [
    'EVENT  NAME   STATE      AGE',
    'ADDED  a      running    9s',
    'ADDED  bravo  suspended  8s',
    'MODIFIED  bravo  running    9s',
    'DELETED   bravo  running    9s',
  ])
})

test('events of a tenant, as they come; what cannot be watched and who may not are said at once', async (t) => {
  const api = await startTestApi(t)
  await api.putJson('acme', tenantDocument('acme'))
  const { uid } = await stored(api.tenants, 'acme')
  const write = (id: string, message: string) => {
    const at = Date.now()
    const event = { id, uid, tenant: 'acme', kind: 'wait', reason: 'MachineBusy', message, count: 1 } as const
    return eventsIn(api.db).write([{ ...event, firstAt: at, lastAt: at }])
  }
  const env = { MOORAGE_API: api.url, MOORAGE_TOKEN: token }
  const moor = startMoor(t, ['get', 'events', 'acme', '--watch'], env)
  await until('it watches', 30_000, async () => (api.logged.some((line) => line.includes('events')) ? true : undefined))
  await write('e1', 'one')
  await prints(moor, 2)
  await write('e2', 'two')
  await prints(moor, 3)
  t.regex(
    moor.out(),
    /^LAST +COUNT +TENANT +REASON +MESSAGE\n\d+s +1 +acme +MachineBusy +one\n\d+s +1 +acme +MachineBusy +two\n$/,
  )
  t.is(await moor.interrupt(), 130)
  const wrong = startMoor(t, ['get', 'pools', '-w'], env)
  t.is(await wrong.ended, 1)
  t.regex(wrong.err(), /pools cannot be watched/)
  const denied = startMoor(t, ['get', '-w'], { ...env, MOORAGE_TOKEN: 'made-up' })
  t.is(await denied.ended, 1)
  t.regex(denied.err(), /^moor: Send the header/)
})
