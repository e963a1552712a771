// Starts what operators look at, before everything else: metrics, traces, and a port of their own where one is set.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { realClock } from './clock.ts'
import type { Config } from './config.ts'
import { openOperations, type Operations } from './operations.ts'
import { startOpsServer } from './ops-server.ts'
import type { Stack } from './stack.ts'
import { headersFrom, otlpExporter } from './tracing/exporter.ts'
import { noTracing, openTracing, type Tracing } from './tracing/open.ts'

function readVersion(): string {
  const text = readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

function startTracing({ traces }: Config, version: string, log: Logger): Tracing {
  const { endpoint, headers = '', service } = traces
  if (endpoint === undefined) return noTracing
  return openTracing({ exporter: otlpExporter({ endpoint, headers: headersFrom(headers), log }), service, version })
}

/** Opens it all; it is closed last, so that what happens while the rest stops is still told. */
export async function startOperations(
  config: Config,
  stack: Stack,
  log: Logger,
  print: (text: string) => void,
): Promise<Operations> {
  const version = readVersion()
  const tracing = startTracing(config, version, log)
  stack.add('traces', () => tracing.close())
  const operations = openOperations(realClock, tracing, version)
  const { host, opsPort } = config
  if (opsPort === undefined) return operations
  const server = await startOpsServer({ host, port: opsPort }, operations)
  stack.add('health and metrics', () => server.close())
  print(`\n  Health and metrics, without a token: ${server.url}/metrics\n`)
  return operations
}
