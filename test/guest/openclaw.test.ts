// The real OpenClaw as a tenant: it boots from our script, is ready by our probe, answers through our proxy, sleeps and wakes,
// and its troubles become conditions. One tenant for all of it, because a boot takes its time.
import test, { type ExecutionContext } from 'ava'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { DialError, dialProved } from '../../proxy/handshake.ts'
import { realClock } from '../../src/clock.ts'
import { api, put, tenant, visit } from '../helpers/client.ts'
import {
  bootOf,
  chat,
  connect,
  consoleOf,
  gatewayToken,
  inMachine,
  isUp,
  machineOf,
  memoryMb,
  moor,
  says,
  startStage,
  until,
  type Stage,
} from './fixture.ts'

const standard = { class: 'standard', region: 'iad' }
let stage: Stage
let begun = false
let folder: string
let token: string

const seconds = (since: number) => `${Math.round((Date.now() - since) / 100) / 10} s`

test.before('the tenant boots and is ready', async (t) => {
  folder = await mkdtemp(join(tmpdir(), 'moorage-guest-'))
  const began = Date.now()
  stage = await startStage(folder)
  begun = true
  await isUp(stage)
  t.log(`from npm start on a fresh volume to the first answer: ${seconds(began)}`)
  token = await gatewayToken(stage)
})

test.after.always('what it said', async (t) => {
  if (!begun) return
  t.log((await consoleOf(stage).catch(String)).slice(-1_500))
  await stage.end('SIGTERM')
  await stage.llm.close()
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
})

test.serial('OpenClaw accepts our configuration without a warning', async (t) => {
  const validated = await inMachine(stage, 'cd /app && node openclaw.mjs config validate 2>&1')
  t.regex(validated.stdout, /Config valid/)
  t.notRegex(validated.stdout, /warn/i)
})

test.serial('a chat turn carries the tenant’s own token to the LLM proxy', async (t) => {
  const turn = await chat(stage, token)
  t.is(turn.status, 200, turn.text)
  t.regex(turn.text, /pong/)
  const jwt = (await machineOf(stage)).config.env['KIWICLAW_PROXY_TOKEN'] ?? ''
  t.deepEqual([...new Set(stage.llm.asked)], [`Bearer ${jwt}`])
  t.log(`memory after a turn: ${await memoryMb(stage)} MB`)
})

test.serial('who is not the tenant is refused', async (t) => {
  const other = 'another-tenants-token-0123456789'
  t.is((await chat(stage, undefined)).status, 401)
  t.is((await chat(stage, other)).status, 401)
  t.regex((await connect(stage, other)).text, /AUTH_TOKEN_MISMATCH/)
  // Headers that would make the caller local, or somebody else, are overwritten by the proxy.
  const forged = { 'x-forwarded-for': '127.0.0.1', forwarded: 'for=127.0.0.1', 'x-real-ip': '127.0.0.1' }
  t.is((await visit(stage, 'acme', '/control-ui-config.json', { headers: forged })).status, 401)
  t.regex(
    (await connect(stage, token, forged)).text,
    /DEVICE_IDENTITY_REQUIRED|NOT_PAIRED|PAIRING_REQUIRED|"scopes":\[\]/,
  )
  // From the private network itself, without the bridge's key: not a byte of the gateway's.
  const { private_ip: address, config } = await machineOf(stage)
  const target = { address, port: 18789, uid: config.env['MOORAGE_UID'] ?? '', incarnation: 1 }
  const wrong = dialProved(target, new Uint8Array(32), { clock: realClock, timeoutMs: 20_000 })
  await t.throwsAsync(wrong, { instanceOf: DialError })
  await t.throwsAsync(fetch(`http://${address}:18789/healthz`))
})

/** Opens the control page, and says what its WebSocket is told until it is let in. */
async function openPage(t: ExecutionContext, whilePairing: () => Promise<void>): Promise<string> {
  const browser = await chromium.launch({
    executablePath: process.env['MOORAGE_CHROMIUM'] ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  })
  try {
    const page = await browser.newPage()
    const welcome = Promise.withResolvers<string>()
    page.on('websocket', (socket) =>
      socket.on('framereceived', ({ payload }) => {
        if (String(payload).includes('hello-ok')) welcome.resolve(String(payload))
      }),
    )
    await page.goto(`http://acme.localhost:${stage.proxyPort}/#token=${token}`, { timeout: 60_000 })
    await page.getByText('Approve this browser').waitFor({ timeout: 60_000 })
    await whilePairing()
    const late = new Promise<never>((_resolve, reject) => {
      setTimeout(() => reject(new Error('the page was not let in')), 90_000).unref()
    })
    const hello = await Promise.race([welcome.promise, late])
    t.is(await page.title(), 'OpenClaw Control')
    return hello
  } finally {
    await browser.close()
  }
}

test.serial('a new browser asks, is let in by a person, and completes the handshake', async (t) => {
  const hello = await openPage(t, async () => {
    const asked = await moor(stage, 'pairing', 'acme', '-o', 'json')
    const { pending } = JSON.parse(asked) as { pending: { id: string; client: string }[] }
    t.is(pending.length, 1)
    t.is(pending[0]?.client, 'openclaw-control-ui')
    t.regex(await moor(stage, 'pairing', 'acme', 'approve', pending[0]?.id ?? ''), /is let in/)
  })
  t.regex(hello, /operator/)
  const { paired } = (await api(stage, '/v1/tenants/acme/pairings')).json() as { paired: object[] }
  t.is(paired.length, 1)
})

test.serial('suspended and woken, it is as it was', async (t) => {
  await inMachine(stage, 'echo kept >/data/workspace/note; echo root >/root/note')
  const before = await bootOf(stage)
  await put(stage, 'acme', { ...standard, state: 'suspended' })
  await until('it is suspended', 120_000, async () =>
    (await machineOf(stage)).state === 'suspended' ? true : undefined,
  )
  t.is((await visit(stage, 'acme')).status, 503)
  const woken = Date.now()
  await put(stage, 'acme', { ...standard, state: 'running' })
  await isUp(stage)
  t.log(`from suspended to the first answer: ${seconds(woken)}`)
  t.is(await bootOf(stage), before, 'no new boot')
  t.is((await inMachine(stage, 'cat /data/workspace/note /root/note')).stdout, 'kept\nroot\n')
  t.is((await chat(stage, token)).status, 200)
})

test.serial('a gateway that is killed is started again, and the exit is on record', async (t) => {
  const before = await bootOf(stage)
  const killed = Date.now()
  await inMachine(stage, 'kill -9 "$(pgrep -f openclaw-gateway | head -1)"')
  await until('another boot', 120_000, async () => {
    const now = await bootOf(stage)
    return now !== undefined && now !== before ? true : undefined
  })
  await isUp(stage)
  t.log(`from kill -9 on a used volume to the first answer: ${seconds(killed)}`)
  const exits = (await machineOf(stage)).events.flatMap(({ request }) => request?.exit_event?.exit_code ?? [])
  t.true(exits.includes(137))
  t.is((await inMachine(stage, 'cat /data/workspace/note; ls /root')).stdout, 'kept\n', 'the root filesystem is new')
})

test.serial('a cut network is told, and heals', async (t) => {
  // The exec itself comes in another way, as Fly's does.
  await inMachine(stage, 'ip link set lo down')
  t.log(await says(stage, 'Ready', /^False Guest(Unreachable|Starting)/))
  await inMachine(stage, 'ip link set lo up')
  await isUp(stage)
  t.is((await chat(stage, token)).status, 200)
})

test.serial('a configuration that OpenClaw refuses is told, and a mended one brings the tenant back', async (t) => {
  await put(stage, 'acme', { ...standard, state: 'running', update: 'immediate', config: { nonsense: { key: 1 } } })
  t.log(await says(stage, 'Ready', /^False CrashLoop/))
  const exits = (await machineOf(stage)).events.flatMap(({ request }) => request?.exit_event?.exit_code ?? [])
  t.true(exits.includes(78), String(exits))
  await put(stage, 'acme', { ...standard, state: 'running', update: 'immediate' })
  await isUp(stage)
  t.is((await tenant(stage, 'acme')).status.effective, 'running')
  t.is((await inMachine(stage, 'cat /data/workspace/note')).stdout, 'kept\n')
})
