// The command that tells a running gateway whose it is, run by a real shell over a volume that a customer has used.
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { applyProgram, personaliseCommand } from '../../boot/personalise.ts'

const run = promisify(execFile)
const bootScript = await readFile(join(import.meta.dirname, '..', '..', 'boot', 'start.sh'), 'utf8')

test('the token and the configuration are replaced, and what is the machine’s or the customer’s stays', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'moorage-personalise-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const [state, secrets] = [join(folder, 'data'), join(folder, 'secrets.json')]
  await mkdir(join(state, '.moorage'), { recursive: true })
  const write = (path: string, value: object) => writeFile(path, JSON.stringify(value))
  await write(secrets, { gateway: 'machines-own' })
  await write(join(state, 'openclaw.json'), { gateway: { port: 1, old: true }, channels: { theirs: 1 } })
  await write(join(state, '.moorage', 'config.good'), { gateway: { port: 1, old: true } })
  const config = { gateway: { port: 1, controlUi: { allowedOrigins: ['https://acme.example.com'] } } }
  const [shell = '', ...rest] = personaliseCommand(bootScript, config, 'jwt-of-acme') ?? []
  const { PATH } = process.env
  await run(shell, rest, { env: { PATH, OPENCLAW_STATE_DIR: state, MOORAGE_SECRETS_FILE: secrets } })
  const read = async (path: string): Promise<unknown> => JSON.parse(await readFile(path, 'utf8'))
  t.deepEqual(await read(secrets), { gateway: 'machines-own', llm: 'jwt-of-acme' })
  t.deepEqual(await read(join(state, 'openclaw.json')), { ...config, channels: { theirs: 1 } })
  t.deepEqual(await read(join(state, '.moorage', 'config.good')), config)
})

test('without the token of the machine nothing is written', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'moorage-personalise-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const [shell = '', ...rest] = personaliseCommand(bootScript, {}, undefined) ?? []
  const { PATH } = process.env
  const env = { PATH, OPENCLAW_STATE_DIR: folder, MOORAGE_SECRETS_FILE: join(folder, 'none.json') }
  await t.throwsAsync(run(shell, rest, { env }))
  await t.throwsAsync(readFile(join(folder, 'openclaw.json')))
})

test('what is too long for a command is said to be, and the program is the boot script’s own', (t) => {
  t.is(personaliseCommand(bootScript, { long: 'x'.repeat(100_000) }, undefined), undefined)
  t.true(bootScript.includes(applyProgram(bootScript)))
  t.throws(() => applyProgram('#!/bin/sh\n'), { instanceOf: TypeError })
})
