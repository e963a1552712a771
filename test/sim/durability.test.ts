// What was answered is never lost, and what was under way is finished: over restarts, and over a kill -9 of the process.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { realClock } from '../../src/clock.ts'
import { startSim } from '../../src/sim/server.ts'
import { headOf, type Api, type Reply, caller, image, machine, mounted, slowWorld, until, world } from './fixture.ts'
import { memoryGuests } from './memory-guests.ts'

const path = '/apps/app/machines'

test('after a restart the state is what it was', async (t) => {
  const first = await world(t)
  const { machine: one } = await mounted(first.api, 'keep')
  await first.api('POST', `${path}/${one.id}/metadata/a`, { value: 'b' })
  await first.api('POST', '/apps/app/certificates/acme', { hostname: 'a.localhost' })
  await first.api('GET', '/apps/app/certificates/a.localhost')
  const gone = await machine(first.api, 'gone')
  await first.api('DELETE', `${path}/${gone.id}?force=true`)
  await until(first.api, gone.id, 'destroyed')
  const before = (await first.api('GET', '/_sim/state')).body
  const second = await first.again()
  t.deepEqual((await second.api('GET', '/_sim/state')).body, before)
  t.not((await machine(second.api, 'new')).private_ip, gone.private_ip)
})

const operations: readonly (readonly [string, string, string])[] = [
  ['stop', 'stopping', 'stopped'],
  ['suspend', 'suspending', 'suspended'],
  ['restart', 'restarting', 'started'],
  ['destroy', 'destroying', 'destroyed'],
  ['update', 'replacing', 'started'],
]
for (const [operation, during, after] of operations)
  test(`a restart in the middle of a ${operation} finishes it`, async (t) => {
    const { api, settle, again, guests } = await slowWorld(t)
    const { id } = (await settle(api('POST', path, { name: 'mid', config: { image } }))).body
    await settle(api('GET', `${path}/${id}/wait`))
    await settle(api('POST', '/_sim/faults', { kind: 'slowState', state: during, ms: 30_000, count: 1 }))
    if (operation === 'destroy') await settle(api('DELETE', `${path}/${id}?force=true`))
    else if (operation === 'update') await settle(api('POST', `${path}/${id}`, { config: { image } }))
    else await settle(api('POST', `${path}/${id}/${operation}`))
    t.is((await api('GET', '/_sim/state')).body.machines[0]?.state, during)
    const second = await again()
    t.is((await second.api('GET', '/_sim/state')).body.machines[0]?.state, during)
    t.is((await settle(second.api('GET', `${path}/${id}/wait?state=${after}`))).status, 200)
    t.is(guests.up.has(id), after === 'started' || after === 'suspended')
  })

test('a restart in the middle of a create finishes it, for a caller who has to look for it', async (t) => {
  const { api, clock, settle, again } = await slowWorld(t)
  const lost = t.throwsAsync(api('POST', path, { name: 'mid', config: { image } }))
  await clock.advance(1_000)
  t.is((await api('GET', '/_sim/state')).body.machines[0]?.state, 'creating')
  const second = await again()
  await lost
  const found = headOf((await settle(second.api('GET', path))).body)
  t.is(found.name, 'mid')
  t.is((await settle(second.api('GET', `${path}/${found.id}/wait`))).status, 200)
})

test('what should run and does not is started again; what runs and should not is stopped', async (t) => {
  const { api, guests, again } = await world(t)
  const dead = await machine(api, 'dead')
  const alive = await machine(api, 'alive')
  const nap = await machine(api, 'nap')
  await api('POST', `${path}/${nap.id}/suspend`)
  await until(api, nap.id, 'suspended')
  const boots = guests.up.get(alive.id)?.boots
  const stray = guests.up.get(alive.id)
  guests.up.delete(dead.id)
  guests.up.delete(nap.id)
  if (stray !== undefined) guests.up.set('stray', { ...stray, machine: 'stray' })
  const second = await again()
  const restarted = await until(second.api, dead.id, 'started')
  t.like(restarted.events[0], { type: 'start', status: 'started' })
  t.like(restarted.events[2], { type: 'exit', request: { exit_event: { requested_stop: false } } })
  t.is(guests.up.get(alive.id)?.boots, boots)
  t.deepEqual([...guests.up.keys()].sort(), [dead.id, alive.id].sort())
  t.is((await until(second.api, nap.id, 'suspended')).state, 'suspended')
})

test('a second simulator on the same folder is refused with a sentence', async (t) => {
  const { folder } = await world(t)
  const options = { folder, port: 0, scale: 0, seed: 1, clock: realClock, guests: memoryGuests() }
  const error = await t.throwsAsync(startSim(options))
  t.regex(error.message, /^Another simulator already uses the folder /)
})

test('a port that is taken is refused with a sentence, and the folder is free again', async (t) => {
  const { sim } = await world(t)
  const folder = await mkdtemp(join(tmpdir(), 'moorage-sim-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const options = { folder, scale: 0, seed: 1, clock: realClock, guests: memoryGuests() }
  const error = await t.throwsAsync(startSim({ ...options, port: Number(new URL(sim.url).port) }))
  t.regex(error.message, /^The port \d+ on 127\.0\.0\.1 is taken/)
  await (await startSim({ ...options, port: 0 })).close()
})

interface Process {
  readonly child: ChildProcess
  readonly api: Api
  readonly said: () => string
}

/** The simulator as a process of its own, as `npm run sim` starts it. */
async function spawnSim(t: ExecutionContext, data: string, scale: string): Promise<Process> {
  const child = spawn(process.execPath, [resolve('src/sim/main.ts')], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...process.env, MOORAGE_FLY_PORT: '0', MOORAGE_DATA: data, MOORAGE_SIM_SCALE: scale, FLY_APP: 'app' },
  })
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    await once(child, 'exit')
  })
  let errors = ''
  child.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString()))
  if (child.stdout === null) throw new Error('the simulator has no output')
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line) as { ready: boolean; url: string; pid: number | undefined }
    t.true(said.ready)
    t.is(said.pid, child.pid)
    const { url } = said
    return { child, api: caller(url), said: () => errors }
  }
  throw new Error(`The simulator ended: ${errors}`)
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

async function dataFolder(t: ExecutionContext): Promise<string> {
  const data = await mkdtemp(join(tmpdir(), 'moorage-data-'))
  t.teardown(() => rm(data, { recursive: true, force: true, maxRetries: 5 }))
  return data
}

/** Waits until a process is gone; its file is the guest host's own. */
async function hostGone(data: string): Promise<boolean> {
  const text = await readFile(join(data, 'fly', 'guests', 'host.json'), 'utf8').catch(() => undefined)
  if (text === undefined) return true
  const { pid } = JSON.parse(text) as { pid: number }
  for (let tries = 0; tries < 100; tries++) {
    try {
      process.kill(pid, 0)
    } catch {
      return true
    }
    await delay(50)
  }
  return false
}

test('kill -9 right after an answer loses nothing: the next process has it all, and the machines stayed up', async (t) => {
  const data = await dataFolder(t)
  const first = await spawnSim(t, data, '0')
  const { volume, machine: one } = await mounted(first.api, 'firm')
  const before = (await first.api('GET', '/_sim/state')).body
  await kill(first.child)
  const second = await spawnSim(t, data, '0')
  const { machines, volumes, calls } = (await second.api('GET', '/_sim/state')).body
  t.deepEqual(machines, before.machines)
  t.deepEqual(volumes, before.volumes)
  t.deepEqual(calls, before.calls)
  const answered = await second.api('POST', `${path}/${one.id}/stop`)
  await kill(second.child)
  t.is(answered.status, 200)
  const third = await spawnSim(t, data, '0')
  await until(third.api, one.id, 'stopped')
  await third.api('DELETE', `${path}/${one.id}`)
  const gone = await third.api('GET', `${path}/${one.id}/wait?state=destroyed&timeout=5`)
  t.is(gone.status, 200)
  const dropped: Reply = await third.api('DELETE', `/apps/app/volumes/${volume.id}`)
  await kill(third.child)
  t.is(dropped.status, 200)
  const fourth = await spawnSim(t, data, '0')
  t.is((await fourth.api('GET', `/apps/app/volumes/${volume.id}`)).body.state, 'pending_destroy')
})

test('kill -9 in the middle of a create: the machine is there and gets started', async (t) => {
  const data = await dataFolder(t)
  const first = await spawnSim(t, data, '0.1')
  const lost = t.throwsAsync(first.api('POST', path, { name: 'mid', config: { image } }))
  for (let tries = 0; tries < 100; tries++) {
    if ((await first.api('GET', '/_sim/state')).body.machines.length === 1) break
    await delay(10)
  }
  await kill(first.child)
  await lost
  const second = await spawnSim(t, data, '0.1')
  const found = headOf((await second.api('GET', path)).body)
  t.is((await until(second.api, found.id, 'started')).name, 'mid')
})

test('SIGTERM ends the process and its machines', async (t) => {
  const data = await dataFolder(t)
  const { child, api, said } = await spawnSim(t, data, '0')
  await machine(api, 'up')
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  t.deepEqual(await exited, [0, null], said())
  t.true(await hostGone(data))
})

test('a closed channel ends the process; its machines go on, for whoever started it may have been killed', async (t) => {
  const data = await dataFolder(t)
  const first = await spawnSim(t, data, '0')
  const { id } = await machine(first.api, 'up')
  const exited = once(first.child, 'exit')
  first.child.disconnect()
  t.deepEqual(await exited, [0, null], first.said())
  const host = await readFile(join(data, 'fly', 'guests', 'host.json'), 'utf8')
  const second = await spawnSim(t, data, '0')
  t.is((await second.api('GET', `${path}/${id}`)).body.state, 'started')
  t.is(await readFile(join(data, 'fly', 'guests', 'host.json'), 'utf8'), host, 'the same host holds them')
})

test('wrong settings end the process with a sentence', async (t) => {
  const data = await dataFolder(t)
  const error = await t.throwsAsync(spawnSim(t, data, 'fast'))
  t.regex(error.message, /MOORAGE_SIM_SCALE has to be a number from 0 to 100/)
})
