// One trace from a request to the last step, as a collector receives it.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { otlpExporter } from '../../src/tracing/exporter.ts'
import { openTracing } from '../../src/tracing/open.ts'
import { api, ask, converged, flyState, put } from '../helpers/client.ts'
import { startMoorage, withFolder } from '../helpers/processes.ts'
import { tenantWith } from '../helpers/tenants.ts'
import { attribute, startReceiver, type SeenSpan } from './receiver.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const traceparent = `00-${traceId}-b7ad6b7169203331-01`

test.serial('a request, the passes that follow from it and their steps are one trace, without secrets', async (t) => {
  const receiver = await startReceiver(t)
  await withFolder(async (folder) => {
    const moorage = await startMoorage(folder, {
      OTEL_EXPORTER_OTLP_ENDPOINT: `${receiver.url}/`,
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20collector',
      OTEL_SERVICE_NAME: 'moorage-test',
    })
    const canary = 'canary-of-config'
    const spec = { class: 'standard', config: { notes: canary } }
    t.is((await put(moorage, 'hooli', spec, { traceparent })).status, 201)
    const { uid } = await converged(moorage, 'hooli')
    await api(moorage, '/v1/tenants/hooli?canary-of-query=1').catch(() => undefined)
    const { machines } = await flyState(moorage.fly)
    const machine = machines.find(({ config }) => config.metadata['moorage_uid'] === uid)
    await moorage.end('SIGTERM')

    const spans = receiver.spans().filter((span) => span.traceId === traceId)
    const below = (parent: SeenSpan) => spans.filter(({ parentSpanId }) => parentSpanId === parent.spanId)
    const [request, ...others] = spans.filter(({ parentSpanId }) => parentSpanId === 'b7ad6b7169203331')
    t.deepEqual(others, [])
    if (request === undefined) return t.fail('there is no span of the request')
    t.is(request.name, 'PUT /v1/tenants/:name')
    t.is(attribute(request, 'http.response.status_code'), 201)

    const passes = below(request)
    t.true(passes.length >= 4, 'a pass for each step and one that finds all done')
    t.true(passes.every((pass) => pass.name === 'reconcile' && attribute(pass, 'moorage.uid') === uid))
    const parts = passes.flatMap(below)
    const names = parts.map(({ name }) => name)
    for (const name of ['observe', 'plan', 'step createVolume', 'step createMachine'])
      t.true(names.includes(name), name)
    const decisions = parts.filter(({ name }) => name === 'plan').map((span) => attribute(span, 'moorage.decision'))
    t.is(decisions.filter((decision) => decision === 'settled').length, 1, 'the trace ends when all is as wanted')
    const create = parts.find(({ name }) => name === 'step createMachine')
    t.deepEqual(create === undefined ? [] : below(create).map(({ name }) => name), ['fly machineCreate'])
    t.true(parts.filter(({ name }) => name === 'observe').some((span) => below(span).some(({ name }) => name.startsWith('fly ')))) // prettier-ignore

    t.true(receiver.services().every((name) => name === 'moorage-test'))
    t.regex(receiver.text(), /Bearer collector/)
    const secrets = [
      canary,
      'canary-of-query',
      moorage.token,
      (await readFile(join(folder, 'master-key'), 'utf8')).trim(),
      ...['OPENCLAW_GATEWAY_TOKEN', 'MOORAGE_BRIDGE_KEY', 'KIWICLAW_PROXY_TOKEN'].map(
        (name) => machine?.config.env[name] ?? t.fail(`${name} is not set`),
      ),
    ]
    for (const secret of secrets) t.false(receiver.text().includes(secret))
    const written = await readFile(join(folder, 'moorage.log'), 'utf8')
    t.notRegex(written, /collector/)
    // The line of the request names the trace and the span that the collector has.
    const lines = written
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    const line = lines.find(({ msg, method, status }) => msg === 'request' && method === 'PUT' && status === 201)
    t.like(line, { trace_id: traceId, span_id: request.spanId })
  })
})

test('a pass that follows from nothing is no part of the request that happened to start it', async (t) => {
  const receiver = await startReceiver(t)
  const exporter = otlpExporter({ endpoint: receiver.url, headers: {}, log: { warn: (_fields, said) => t.fail(said) } })
  const tracing = openTracing({ exporter, service: 'moorage-test', version: '0' })
  const pass = (name: string, parent: string | undefined) =>
    tracing.spans.pass(tenantWith({}, { name }), parent, () =>
      tracing.spans.span(`plan ${name}`, {}, () => Promise.resolve()),
    )
  await tracing.request({ method: 'PUT', path: '/', traceparent: '' }, async () => {
    await pass('own', tracing.traceparent())
    await pass('other', undefined)
  })
  await tracing.close()
  const names = receiver.spans().map(({ name }) => name)
  t.deepEqual(names.sort(), ['PUT', 'plan own', 'reconcile'])
})

test.serial('a collector that is away is said once, and nobody waits for it', (t) =>
  withFolder(async (folder) => {
    const moorage = await startMoorage(folder, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' })
    t.is((await put(moorage, 'hooli', { class: 'byok' })).status, 201)
    await converged(moorage, 'hooli')
    t.is((await ask(`${moorage.api}/livez`)).status, 200)
    await moorage.end('SIGTERM')
    const written = await readFile(join(folder, 'moorage.log'), 'utf8')
    t.is(written.split('traces cannot be sent').length, 2)
  }),
)

test.serial('without a collector a line of the log names the caller’s span, and nothing that is none', (t) =>
  withFolder(async (folder) => {
    const moorage = await startMoorage(folder)
    const wrong = ['', 'nonsense', `01-${traceId}-b7ad6b7169203331-01`, `00-${'0'.repeat(32)}-b7ad6b7169203331-01`]
    for (const sent of [traceparent, ...wrong])
      t.is((await ask(`${moorage.api}/livez`, { headers: { traceparent: sent } })).status, 200)
    await moorage.end('SIGTERM')
    const lines = (await readFile(join(folder, 'moorage.log'), 'utf8')).trim().split('\n')
    const asked = lines
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ path }) => path === '/livez')
    t.is(asked.length, 5)
    const ids = asked.map((line) => [line['trace_id'], line['span_id']])
    t.deepEqual(ids, [[traceId, 'b7ad6b7169203331'], ...wrong.map(() => [undefined, undefined])])
  }),
)
