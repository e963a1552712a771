// Guests as machines: stop, suspend, resume, exec; and the host process that holds them, which outlives its clients.
import test from 'ava'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { DialError } from '../../proxy/handshake.ts'
import { realClock } from '../../src/clock.ts'
import { connectGuestHost } from '../../src/sim/guest/connect.ts'
import { meetingPlace } from '../../src/sim/guest/folder.ts'
import { localGuestHost } from '../../src/sim/guest/local.ts'
import { ask, connect, ending, guestStart, temporary } from './guest-fixture.ts'

const refused = { instanceOf: DialError, message: /nothing listens/ }

/** Waits until something is true, with a deadline: for ends of other processes. */
async function until(holds: () => boolean | Promise<boolean>, ms = 10_000): Promise<void> {
  for (const end = Date.now() + ms; !(await holds());) {
    if (Date.now() > end) throw new Error('it did not come true in time')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false
    throw error
  }
}

const hostPid = (folder: string) => (JSON.parse(readFileSync(meetingPlace(folder).pid, 'utf8')) as { pid: number }).pid

test('a suspended machine answers nothing and comes back at once as the same boot', async (t) => {
  const host = ending(t, localGuestHost())
  const start = await guestStart('m1')
  await host.start(start)
  const { boot } = await ask(start, '/')
  const { socket } = await connect(start)
  await host.suspend('m1')
  t.deepEqual(await host.running(), [{ machine: 'm1', suspended: true }])
  await t.throwsAsync(connect(start), refused)
  t.true(socket.destroyed || (await once(socket.resume(), 'close'), true), 'open connections are broken')
  await t.throwsAsync(host.exec('m1', ['true'], 1_000), { message: /suspended/ })
  await host.resume('m1')
  const answer = await ask(start, '/startupz')
  t.is(answer.status, 200)
  t.is(answer.boot, boot)
})

test('time in suspend does not count towards readiness', async (t) => {
  const clock = { time: Date.now() }
  const host = ending(t, localGuestHost({ now: () => clock.time }))
  const start = await guestStart('m1', { scale: 1 })
  await host.start(start)
  clock.time += 11_000
  await host.suspend('m1')
  clock.time += 3_600_000
  await host.resume('m1')
  const { socket } = await connect(start)
  socket.write('GET /startupz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
  t.notRegex(Buffer.concat((await socket.toArray()) as Buffer[]).toString(), / 200 /)
})

test('a stopped machine is gone, a started one is another boot on the same volume', async (t) => {
  const host = ending(t, localGuestHost())
  const start = await guestStart('m1')
  await host.start(start)
  const { boot } = await ask(start, '/')
  await host.stop('m1')
  await host.stop('m1')
  await t.throwsAsync(connect(start), refused)
  t.deepEqual(await host.running(), [])
  await t.throwsAsync(host.resume('m1'), { message: /no guest of machine m1/ })
  await host.start(start)
  t.not((await ask(start, '/')).boot, boot)
  await host.start(start)
  t.deepEqual(await host.running(), [{ machine: 'm1', suspended: false }], 'a repeated start boots anew')
})

test('what the real boot refuses is refused, and the console says why', async (t) => {
  const host = ending(t, localGuestHost())
  const noToken = await guestStart('m1', { env: { OPENCLAW_GATEWAY_TOKEN: ' ' } })
  await t.throwsAsync(host.start(noToken), { message: /code 64: OPENCLAW_GATEWAY_TOKEN is missing/ })
  t.regex(readFileSync(path.join(noToken.rootFolder, 'console.log'), 'utf8'), /OPENCLAW_GATEWAY_TOKEN is missing/)
  const noConfig = await guestStart('m2', { env: { OPENCLAW_CONFIG_B64: 'e30' + '!' + 'broken' } })
  await t.throwsAsync(host.start(noConfig), { message: /code 65/ })
  await t.throwsAsync(host.start(await guestStart('m3', { env: { MOORAGE_UID: 'a b\r\n' } })), { message: /malformed/ })
  t.deepEqual(await host.running(), [])
})

test('an address that cannot be bound is a clear error', async (t) => {
  const host = ending(t, localGuestHost())
  const start = await guestStart('m1')
  const squatter = net.createServer().listen(start.port, start.address)
  t.teardown(() => squatter.close())
  await once(squatter, 'listening')
  await t.throwsAsync(host.start(start), { message: /machine m1: the bridge cannot listen on 127\.0\.0\.1 port \d+/ })
  t.deepEqual(await host.running(), [])
})

test('an image that is not ours runs and listens to nothing', async (t) => {
  const host = ending(t, localGuestHost())
  const start = { ...(await guestStart('m1')), env: { FLY_PRIVATE_IP: '127.0.0.1' } }
  await host.start(start)
  await host.suspend('m1')
  await host.resume('m1')
  t.deepEqual(await host.running(), [{ machine: 'm1', suspended: false }])
})

test('a command is written down and never run', async (t) => {
  const host = ending(t, localGuestHost())
  const start = await guestStart('m1')
  await host.start(start)
  const proof = path.join(start.rootFolder, 'was-run')
  const result = await host.exec('m1', ['/bin/sh', '-c', `touch ${proof}`], 1_000)
  t.deepEqual(result, { exit_code: 0, exit_signal: 0, stdout: '', stderr: '' })
  t.false(existsSync(proof))
  t.deepEqual(JSON.parse(readFileSync(path.join(start.rootFolder, 'exec.log'), 'utf8')), [
    '/bin/sh',
    '-c',
    `touch ${proof}`,
  ])
})

test('the host process outlives a client that is killed, and the next client finds its guests', async (t) => {
  const folder = temporary()
  const start = await guestStart('m1', { folder: path.join(folder, 'm1') })
  const client = `
    const { connectGuestHost } = await import(${JSON.stringify(new URL('../../src/sim/guest/connect.ts', import.meta.url))})
    const { realClock } = await import(${JSON.stringify(new URL('../../src/clock.ts', import.meta.url))})
    const host = await connectGuestHost({ folder: ${JSON.stringify(folder)}, clock: realClock })
    await host.start(${JSON.stringify(start)})
    process.stdout.write('started')
    setInterval(() => undefined, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', client], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  const { boot } = await ask(start, '/')
  // Its whole process group, as a terminal's Ctrl-C or a supervisor would reach it.
  process.kill(-(child.pid ?? 0), 'SIGKILL')
  await once(child, 'exit')
  t.is((await ask(start, '/')).boot, boot, 'the guest runs on without any client')
  const host = await connectGuestHost({ folder, clock: realClock })
  t.deepEqual(await host.running(), [{ machine: 'm1', suspended: false }])
  await host.suspend('m1')
  await host.resume('m1')
  t.is((await ask(start, '/')).boot, boot)
  const pid = hostPid(folder)
  await host.release()
  t.is((await ask(start, '/')).boot, boot, 'release only disconnects')
  await t.throwsAsync(host.running(), { message: /released/ })
  const again = await connectGuestHost({ folder, clock: realClock })
  t.is(hostPid(folder), pid)
  await t.throwsAsync(again.resume('m2'), { message: /no guest of machine m2/ })
  await again.close()
  await t.throwsAsync(connect(start), refused)
  await until(() => !alive(pid))
})

test('one host per folder, however many ask at once', async (t) => {
  const folder = temporary()
  const clients = await Promise.all([1, 2, 3].map(() => connectGuestHost({ folder, clock: realClock })))
  const start = await guestStart('m1', { folder: path.join(folder, 'm1') })
  await clients[0]?.start(start)
  for (const client of clients) t.is((await client.running()).length, 1)
  const pid = hostPid(folder)
  await clients[0]?.close()
  await until(() => !alive(pid))
})

test('a host that nobody uses ends by itself', async (t) => {
  const folder = temporary()
  const host = await connectGuestHost({ folder, clock: realClock, idleMs: 100 })
  const start = await guestStart('m1', { folder: path.join(folder, 'm1') })
  await host.start(start)
  const pid = hostPid(folder)
  await host.release()
  await until(() => !alive(pid))
  await t.throwsAsync(connect(start), refused)
})

test('a host that was killed is replaced, and what ran in it is gone', async (t) => {
  const folder = temporary()
  const host = await connectGuestHost({ folder, clock: realClock })
  const start = await guestStart('m1', { folder: path.join(folder, 'm1') })
  await host.start(start)
  const pid = hostPid(folder)
  process.kill(pid, 'SIGKILL')
  await until(() => !alive(pid))
  await until(async () => (await host.running().catch(() => undefined))?.length === 0)
  t.not(hostPid(folder), pid)
  await host.start(start)
  t.is((await ask(start, '/')).status, 200)
  await host.close()
})

test('the meeting place is private, and its socket path is short enough anywhere', (t) => {
  const near = meetingPlace(temporary())
  t.is(statSync(near.folder).mode & 0o777, 0o700)
  const deep = path.join(temporary(), 'd'.repeat(120))
  mkdirSync(deep, { mode: 0o755 })
  const far = meetingPlace(deep)
  t.true(Buffer.byteLength(far.socket) <= 100)
  t.is(statSync(path.dirname(far.socket)).mode & 0o777, 0o700)
  t.is(meetingPlace(deep).socket, far.socket)
  t.not(meetingPlace(temporary()).socket, near.socket)
})
