// The real OpenClaw as a tenant: it boots from our script, is ready by our probe, answers through our proxy, sleeps and wakes,
// and its troubles become conditions. One tenant for all of it, because a boot takes its time.
import test, { type ExecutionContext } from 'ava'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { DialError, dialProved } from '../../proxy/handshake.ts'
import { realClock } from '../../src/clock.ts'
import { callGateway } from '../../src/gateway/rpc.ts'
import { api, put, tenant, visit } from '../helpers/client.ts'
import {
  bootOf,
  chat,
  chatWith,
  connect,
  consoleOf,
  eventsOf,
  gatewayCall,
  gatewayToken,
  inMachine,
  isUp,
  limitDisk,
  machineOf,
  memoryMb,
  moor,
  says,
  startStage,
  until,
  type Stage,
} from './fixture.ts'

const standard = { class: 'standard', region: 'iad' }
/** So soon who is left alone falls asleep; a slow computer would fall asleep over its first boot. */
const soon = { idle: { afterMinutes: 1 } }
let stage: Stage
let begun = false
let folder: string
let token: string
let leftAt = 0
let leftBoot: string | undefined
let disk: Awaited<ReturnType<typeof limitDisk>> | undefined

const seconds = (since: number) => `${Math.round((Date.now() - since) / 100) / 10} s`

test.before('the tenant boots and is ready', async (t) => {
  folder = await mkdtemp(join(tmpdir(), 'moorage-guest-'))
  const began = Date.now()
  stage = await startStage(folder)
  begun = true
  await isUp(stage)
  t.log(`from npm start on a fresh volume to the first answer: ${seconds(began)}`)
  token = await gatewayToken(stage)
  await inMachine(stage, 'echo kept >/data/note; echo root >/root/note')
})

test.after.always('what it said', async (t) => {
  if (!begun) return
  t.log((await consoleOf(stage).catch(String)).slice(-1_500))
  await stage.end('SIGTERM')
  disk?.end()
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
    t.regex(await page.title(), /OpenClaw/)
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

/** What the second tenant is asked for and does: its own key, and a job of its user's own a little later. */
const own = { class: 'byok', region: 'ams', state: 'running' }
const ownKey = 'the-tenants-own-key'
let jobAt = 0

/** A provider of the tenant's own choice, which is the test's server as well. */
function ownProvider() {
  const model = { id: 'm', name: 'm', reasoning: false, input: ['text'], contextWindow: 128_000, maxTokens: 8_192 }
  const cost = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 }
  const access = { api: 'openai-completions', auth: 'api-key', authHeader: true, apiKey: ownKey }
  return {
    models: {
      mode: 'replace',
      providers: { own: { baseUrl: stage.llm.url, ...access, models: [{ ...model, cost }] } },
    },
    agents: { defaults: { model: { primary: 'own/m' } } },
  }
}

test.serial('a tenant with a key of its own uses that, and makes itself a job', async (t) => {
  leftBoot = await bootOf(stage)
  leftAt = Date.now()
  t.is((await put(stage, 'acme', { ...standard, ...soon, state: 'running' })).status, 200)
  t.is((await put(stage, 'globex', { ...own, config: ownProvider() })).status, 201)
  await isUp(stage, 'globex')
  t.log(`a second tenant, fresh: ${seconds(leftAt)}`)
  const before = stage.llm.asked.length
  const turn = await chatWith(stage, 'globex', await gatewayToken(stage, 'globex'))
  t.is(turn.status, 200, turn.text)
  t.deepEqual([...new Set(stage.llm.asked.slice(before))], [`Bearer ${ownKey}`])
  t.is((await machineOf(stage, 'globex')).config.env['KIWICLAW_PROXY_TOKEN'], undefined)
  // Asleep after a minute, it is to be up a minute and a half before this.
  jobAt = Date.now() + 180_000
  await callGateway(await gatewayCall(stage, 'globex'), 'cron.add', {
    ...{ name: 'tea', sessionTarget: 'isolated', wakeMode: 'now', delivery: { mode: 'none' } },
    ...{ schedule: { kind: 'at', at: new Date(jobAt).toISOString() } },
    payload: { kind: 'agentTurn', message: 'is it time for tea?' },
  })
  t.is((await put(stage, 'globex', { ...own, ...soon, config: ownProvider() })).status, 200)
})

test.serial('unused for a minute it sleeps well, and a request wakes it as it was', async (t) => {
  await until('it is suspended', 150_000, async () =>
    (await machineOf(stage)).state === 'suspended' ? true : undefined,
  )
  t.log(`asleep ${seconds(leftAt)} after its last use`)
  const woken = Date.now()
  t.is((await visit(stage, 'acme', '/startupz', { timeoutMs: 40_000 })).status, 200)
  t.log(`from a request that finds it asleep to the answer: ${seconds(woken)}`)
  // From here on nobody is to fall asleep while something else is looked at.
  await put(stage, 'acme', { ...standard, state: 'running' })
  t.is(await bootOf(stage), leftBoot, 'no new boot')
  t.is((await inMachine(stage, 'cat /data/note /root/note')).stdout, 'kept\nroot\n')
  t.is((await chat(stage, token)).status, 200)
  const told = await until('the events are written', 20_000, async () => {
    const events = await eventsOf(stage, 'acme')
    return events.some((line) => line.startsWith('done endSleep')) ? events : undefined
  })
  t.true(
    told.some((line) => /^done prepareSleep: .*it is ready/.test(line)),
    told.join('\n'),
  )
})

test.serial('who is not the tenant is refused', async (t) => {
  const other = await gatewayToken(stage, 'globex')
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
  // From the private network itself, with another tenant's key or none: not a byte of the gateway's.
  const { target } = await gatewayCall(stage, 'acme')
  const { bridgeKey } = await gatewayCall(stage, 'globex')
  const wrong = dialProved(target, bridgeKey, { clock: realClock, timeoutMs: 20_000 })
  await t.throwsAsync(wrong, { instanceOf: DialError })
  await t.throwsAsync(fetch(`http://${target.address}:18789/healthz`))
  // From another machine's address: there is no road at all.
  const stranger = `node -e "fetch('http://${target.address}:18789/').then(() => process.exit(0), () => process.exit(7))"`
  t.is((await inMachine(stage, stranger, 'globex')).exit_code, 7)
})

test.serial('a gateway that is killed is started again, and the exit is on record', async (t) => {
  // Its next boot finds a disk that can be filled.
  disk = await limitDisk(stage)
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
  t.is((await inMachine(stage, 'cat /data/note; ls /root')).stdout, 'kept\n', 'the root filesystem is new')
})

test.serial('a bridge whose listener is ended ends with it, and is started again', async (t) => {
  const before = await bootOf(stage)
  t.is((await inMachine(stage, 'ss -K -l -t src "$FLY_PRIVATE_IP" sport = :18789')).exit_code, 0)
  await until('another boot', 60_000, async () => {
    const now = await bootOf(stage)
    return now !== undefined && now !== before ? true : undefined
  })
  await isUp(stage)
  const exits = (await machineOf(stage)).events.flatMap(({ request }) => request?.exit_event?.exit_code ?? [])
  t.true(exits.includes(71), String(exits))
})

test.serial('a cut network is told, and heals', async (t) => {
  // The exec itself comes in another way, as Fly's does.
  await inMachine(stage, 'ip link set lo down')
  // Else it is looked at only every few minutes.
  await moor(stage, 'retry', 'acme')
  t.log(await says(stage, 'Ready', /^False Guest(Unreachable|Starting)/))
  await inMachine(stage, 'ip link set lo up')
  await isUp(stage)
  t.is((await chat(stage, token)).status, 200)
})

test.serial('a configuration that OpenClaw refuses is told, and a mended one brings the tenant back', async (t) => {
  await put(stage, 'acme', { ...standard, state: 'running', update: 'immediate', config: { nonsense: { key: 1 } } })
  t.log(await says(stage, 'Ready', /^False StartFails.*exit code 78: OpenClaw refuses its configuration/))
  t.log(await says(stage, 'MachineReady', /^False Exited.*exit code 78/))
  const exits = (await machineOf(stage)).events.flatMap(({ request }) => request?.exit_event?.exit_code ?? [])
  t.true(exits.includes(78), String(exits))
  await put(stage, 'acme', { ...standard, state: 'running', update: 'immediate' })
  await isUp(stage)
  t.is((await tenant(stage, 'acme')).status.effective, 'running')
  t.is((await inMachine(stage, 'cat /data/note')).stdout, 'kept\n')
})

test.serial('a full disk is told, and room brings the tenant back', async (t) => {
  if (disk === undefined) {
    disk = await limitDisk(stage)
    await inMachine(stage, 'kill -9 "$(pgrep -f openclaw-gateway | head -1)"')
    await isUp(stage)
  }
  const filled = await inMachine(stage, 'dd if=/dev/zero of=/data/filler bs=1M 2>&1')
  t.regex(filled.stdout, /No space left/)
  await moor(stage, 'retry', 'acme')
  t.log(await says(stage, 'VolumeReady', /^True AlmostFull/))
  await inMachine(stage, 'kill -9 "$(pgrep -f openclaw-gateway | head -1)"')
  t.log(await says(stage, 'Ready', /^False (StartFails|CrashLoop|GuestStarting|GuestUnreachable)/))
  t.log(await says(stage, 'MachineReady', /Exited|Started/))
  await rm(join(disk.folder, 'filler'))
  await moor(stage, 'retry', 'acme')
  await isUp(stage)
  t.is((await chat(stage, token)).status, 200)
  t.is((await inMachine(stage, 'cat /data/note')).stdout, 'kept\n')
})

test.serial('the job of the tenant’s own has found its machine awake', async (t) => {
  const before = stage.llm.prompts.filter((prompt) => prompt.includes('time for tea')).length
  t.log(`${before} turns of the job so far, ${seconds(jobAt)} after it was due`)
  await until('the job ran', Math.max(0, jobAt - Date.now()) + 60_000, () =>
    Promise.resolve(stage.llm.prompts.some((prompt) => prompt.includes('time for tea')) ? true : undefined),
  )
  const events = await eventsOf(stage, 'globex')
  t.true(
    events.some((line) => /^done prepareSleep: .*ready until its job of/.test(line)),
    events.join('\n'),
  )
  t.true(events.some((line) => line.startsWith('done startMachine')))
})
