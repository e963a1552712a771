// The header `traceparent` as W3C Trace Context has it (level 1), and what a log line says of it. Pure.

export interface TraceParent {
  readonly traceId: string
  readonly spanId: string
  readonly flags: number
}

const form = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/
const nothing = /^0+$/

/** Undefined where it is none, or one that nobody could find again. */
export function readTraceparent(text: string | undefined): TraceParent | undefined {
  const [, traceId, spanId, flags] = form.exec(text ?? '') ?? []
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined
  if (nothing.test(traceId) || nothing.test(spanId)) return undefined
  return { traceId, spanId, flags: Number.parseInt(flags, 16) }
}

/** The names that log lines have for it in OpenTelemetry; nothing where there is no trace. */
export function traceFields(text: string | undefined): { readonly trace_id?: string; readonly span_id?: string } {
  const found = readTraceparent(text)
  return found === undefined ? {} : { trace_id: found.traceId, span_id: found.spanId }
}
