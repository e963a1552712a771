// The real OpenClaw as a tenant: it boots from our script, is ready by our probe, answers through our proxy, sleeps and wakes.
import test from 'ava'
import { WebSocket } from 'ws'
import { DialError, dialProved } from '../../proxy/handshake.ts'
import { realClock } from '../../src/clock.ts'
import { put, tenant, visit } from '../helpers/client.ts'
import { withFolder } from '../helpers/processes.ts'
import { chat, consoleOf, gatewayToken, inMachine, isUp, machineOf, memoryMb, startStage, until } from './fixture.ts'
import type { Stage } from './fixture.ts'

const standard = { class: 'standard', region: 'iad' }

/** The first words of a WebSocket to the gateway: its challenge, then what it says to `connect`. */
function connect(stage: Stage, token: string, host = 'acme.localhost'): Promise<{ ok: boolean; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { host: `${host}:${stage.proxyPort}` }
    const socket = new WebSocket(`ws://127.0.0.1:${stage.proxyPort}/`, { headers })
    const params = {
      minProtocol: 4,
      maxProtocol: 4,
      client: { id: 'cli', version: '1.0.0', platform: 'linux', mode: 'cli' },
      role: 'operator',
      scopes: ['operator.read'],
      auth: { token },
    }
    socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as { event?: string; ok?: boolean }
      if (frame.event === 'connect.challenge')
        socket.send(JSON.stringify({ type: 'req', id: '1', method: 'connect', params }))
      else {
        resolve({ ok: frame.ok === true, text: data.toString() })
        socket.close()
      }
    })
    socket.on('error', reject)
  })
}

async function refusals(t: import('ava').ExecutionContext, stage: Stage, token: string): Promise<void> {
  const other = 'another-tenants-token-0123456789'
  t.is((await chat(stage, undefined)).status, 401, 'without a token')
  t.is((await chat(stage, other)).status, 401, 'with another tenant’s token')
  // Headers that would make the caller local, or somebody else: the proxy overwrites them.
  const forged = { 'x-forwarded-for': '127.0.0.1', forwarded: 'for=127.0.0.1', 'x-real-ip': '127.0.0.1' }
  t.is((await visit(stage, 'acme', '/control-ui-config.json', { headers: forged })).status, 401)
  t.regex((await connect(stage, other)).text, /AUTH_TOKEN_MISMATCH|TOKEN_MISMATCH|unauthorized/i)
  // From the private network itself, without the bridge's key: not a byte of the gateway's.
  const { private_ip: address, config } = await machineOf(stage)
  const target = { address, port: 18789, uid: config.env['MOORAGE_UID'] ?? '', incarnation: 1 }
  const wrong = dialProved(target, new Uint8Array(32), { clock: realClock, timeoutMs: 5_000 })
  await t.throwsAsync(wrong, { instanceOf: DialError, message: /closed the connection|is not the machine/ })
  await t.throwsAsync(fetch(`http://${address}:18789/healthz`))
  t.is((await chat(stage, token)).status, 200)
}

test('a tenant’s first day', (t) =>
  withFolder(async (folder) => {
    const began = Date.now()
    const stage = await startStage(folder)
    try {
      await isUp(stage)
      t.log(`from nothing to the first answer: ${Math.round((Date.now() - began) / 100) / 10} s`)
      const validated = await inMachine(stage, 'cd /app && node openclaw.mjs config validate 2>&1')
      t.is(validated.exit_code, 0, validated.stdout)
      t.regex(validated.stdout, /Config valid/)
      t.notRegex(validated.stdout, /warn/i)

      const token = await gatewayToken(stage)
      const turn = await chat(stage, token)
      t.is(turn.status, 200, turn.text)
      t.regex(turn.text, /pong/)
      const jwt = (await machineOf(stage)).config.env['KIWICLAW_PROXY_TOKEN']
      t.deepEqual([...new Set(stage.llm.asked)], [`Bearer ${jwt ?? ''}`])
      t.log(`memory after a turn: ${await memoryMb(stage)} MB`)
      await refusals(t, stage, token)

      await inMachine(stage, 'echo kept >/data/workspace/note; echo lost >/root/note')
      const boot = await inMachine(stage, 'cat /proc/1/stat | cut -d" " -f22')
      await put(stage, 'acme', { ...standard, state: 'suspended' })
      await until('it is suspended', 60_000, async () =>
        (await machineOf(stage)).state === 'suspended' ? true : undefined,
      )
      t.is((await visit(stage, 'acme')).status, 503)
      const woken = Date.now()
      await put(stage, 'acme', { ...standard, state: 'running' })
      await isUp(stage)
      t.log(`from suspended to the first answer: ${Math.round((Date.now() - woken) / 100) / 10} s`)
      const same = await inMachine(stage, 'cat /proc/1/stat | cut -d" " -f22; cat /data/workspace/note /root/note')
      t.is(same.stdout, `${boot.stdout}kept\nlost\n`, 'its memory and both disks are as they were')
      t.is((await chat(stage, token)).status, 200)
      t.truthy(await tenant(stage, 'acme'))
    } catch (error) {
      t.log((await consoleOf(stage).catch(String)).slice(-4_000))
      throw error
    } finally {
      await stage.end('SIGTERM')
      await stage.llm.close()
    }
  }))
