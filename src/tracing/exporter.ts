// The way out: OTLP over HTTP as JSON. What cannot be sent is lost, and said once until it works again.
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import type { SpanExporter } from '@opentelemetry/sdk-trace'

export interface ExporterOptions {
  /** Without `/v1/traces`, as OTEL_EXPORTER_OTLP_ENDPOINT is. */
  readonly endpoint: string
  readonly headers: Readonly<Record<string, string>>
  readonly log: { warn(fields: object, message: string): void }
}

/** `key=value,key=value`, the values percent-encoded (OpenTelemetry's protocol exporter specification). */
export function headersFrom(text: string): Record<string, string> {
  const pairs = text.split(',').flatMap((pair): [string, string][] => {
    const at = pair.indexOf('=')
    return at < 1 ? [] : [[pair.slice(0, at).trim(), decodeURIComponent(pair.slice(at + 1).trim())]]
  })
  return Object.fromEntries(pairs)
}

/** With its retries. An orderly end waits for the last export, and Fly waits five seconds for an orderly end (its kill_timeout). */
const longestMs = 3_000

/** The exporter. Its failures are logged without the address and the headers, which may hold secrets. */
export function otlpExporter({ endpoint, headers, log }: ExporterOptions): SpanExporter {
  const url = `${endpoint.replace(/\/+$/, '')}/v1/traces`
  const inner = new OTLPTraceExporter({ url, headers: { ...headers }, timeoutMillis: longestMs })
  let failing = false
  return {
    export: (spans, done) =>
      inner.export(spans, (result) => {
        const failed = result.error !== undefined
        if (failed && !failing) log.warn({ reason: result.error?.name, spans: spans.length }, 'traces cannot be sent')
        failing = failed
        done(result)
      }),
    shutdown: () => inner.shutdown(),
    forceFlush: () => inner.forceFlush(),
  }
}
