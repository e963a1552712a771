// The command that renews a token, as a shell runs it in a machine.
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { renewCommand } from '../../boot/renew.ts'

const token = 'new.$HOME.`id`."\'token'

/** A machine's folders, with an OpenClaw that writes down how it is called and ends as it is told. */
function machine(t: ExecutionContext, openclaw: string) {
  const folder = mkdtempSync(join(tmpdir(), 'moorage-renew-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const secrets = join(folder, 'secrets.json')
  writeFileSync(join(folder, 'openclaw.mjs'), openclaw)
  const run = () =>
    new Promise<{ code: number; said: string }>((resolve) => {
      const [program = '', ...rest] = renewCommand(token)
      const path = `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`
      const env = { PATH: path, MOORAGE_APP_DIR: folder, MOORAGE_SECRETS_FILE: secrets, OPENCLAW_STATE_DIR: folder }
      execFile(program, rest, { env }, (error, stdout, stderr) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, said: stdout + stderr })
      })
    })
  return { folder, secrets, run }
}

const reads = `
import { readFileSync, writeFileSync } from 'node:fs'
const { MOORAGE_SECRETS_FILE: file, MOORAGE_APP_DIR: folder } = process.env
const { llm } = JSON.parse(readFileSync(file, 'utf8'))
writeFileSync(folder + '/called', JSON.stringify({ command: process.argv.slice(2), llm, state: process.env.OPENCLAW_STATE_DIR }))
console.log(llm)
`

test('the file has the new token before the gateway is told, and the rest of it stays', async (t) => {
  const { folder, secrets, run } = machine(t, reads)
  writeFileSync(secrets, JSON.stringify({ gateway: 'gateway-token', llm: 'old' }), { mode: 0o600 })
  const before = statSync(secrets).ino
  t.deepEqual(await run(), { code: 0, said: '' }, 'and nothing is said of the token')
  t.deepEqual(JSON.parse(readFileSync(secrets, 'utf8')), { gateway: 'gateway-token', llm: token })
  t.is(statSync(secrets).mode & 0o777, 0o600)
  t.not(statSync(secrets).ino, before, 'replaced by a rename')
  t.deepEqual(JSON.parse(readFileSync(join(folder, 'called'), 'utf8')), {
    ...{ command: ['secrets', 'reload'], llm: token, state: folder },
  })
  t.deepEqual(readdirSync(folder).sort(), ['called', 'openclaw.mjs', 'secrets.json'])
  t.is((await run()).code, 0, 'again is the same')
})

test('a gateway that does not take it, and a machine without the file, end with a code', async (t) => {
  const refusing = machine(t, 'process.exit(3)')
  writeFileSync(refusing.secrets, '{"gateway":"g"}')
  t.is((await refusing.run()).code, 3)
  const { secrets, run } = machine(t, reads)
  t.is((await run()).code, 1)
  t.throws(() => statSync(secrets), { code: 'ENOENT' })
})
