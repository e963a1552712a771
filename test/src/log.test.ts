// What must never be written is not, wherever it turns up in a log line.
import test from 'ava'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLog } from '../../src/log.ts'

test('secrets are taken out at the top and two levels down, in lists and errors; the rest stays as it is', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'moorage-log-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'log')
  const log = openLog({ level: 'info', file })
  const inner = { token: 'hush', name: 'n' }
  log.info({ password: 'hush', a: inner, b: { c: { key: 'hush' } }, list: [1, { secret: 'hush' }] }, 'told')
  log.warn({ err: Object.assign(new TypeError('boom'), { code: 'E1', config: { url: 'hush' } }) }, 'failed')
  log.info({ reason: 'none' }, 'plain')
  const written = () => readFileSync(file, 'utf8')
  while (written().split('\n').length < 4) await new Promise((resolve) => log.flush(resolve))
  const text = written()
  t.notRegex(text, /hush/)
  const [told, failed, plain] = text.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>) // prettier-ignore
  t.like(told, { password: '[redacted]', a: { token: '[redacted]', name: 'n' }, list: [1, { secret: '[redacted]' }] })
  t.like(failed, { err: { type: 'TypeError', message: 'boom', code: 'E1', config: '[redacted]' } })
  t.like(plain, { reason: 'none', msg: 'plain' })
  t.is(inner.token, 'hush', 'what was logged is not changed')
})
