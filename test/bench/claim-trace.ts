// Where the time of a claim goes: the spans of each tenant's trace by name, from the request to the last step.
import { attribute, type Receiver, type SeenSpan } from '../tracing/receiver.ts'

/** Another wait than in the spans: from one pass to the next. */
const between = '(between passes)'

const startOf = (span: SeenSpan) => Number(BigInt(span.startTimeUnixNano) / 1_000n) / 1_000
const endOf = (span: SeenSpan) => Number(BigInt(span.endTimeUnixNano) / 1_000n) / 1_000

/** The spans of each trace in the order of their beginning, by the tenant's name. */
export function tracesOf(receiver: Receiver): ReadonlyMap<string, readonly SeenSpan[]> {
  const byTrace = Object.groupBy(receiver.spans(), ({ traceId }) => traceId)
  const found = new Map<string, readonly SeenSpan[]>()
  for (const spans of Object.values(byTrace)) {
    const named = spans?.map((span) => attribute(span, 'moorage.tenant')).find((name) => typeof name === 'string')
    if (named !== undefined && spans !== undefined)
      found.set(
        named,
        spans.toSorted((a, b) => startOf(a) - startOf(b)),
      )
  }
  return found
}

/** The one whose last pass ended last. */
export function slowestOf(traces: readonly (readonly SeenSpan[])[]): readonly SeenSpan[] {
  const lengthOf = (spans: readonly SeenSpan[]) =>
    Math.max(0, ...spans.map(endOf)) - Math.min(Infinity, ...spans.map(startOf))
  return traces.toSorted((a, b) => lengthOf(a) - lengthOf(b)).at(-1) ?? []
}

/** Each line a span: when it began after the request did, how long it took, what it is. */
export function courseOf(spans: readonly SeenSpan[]): string {
  const began = startOf(spans[0] ?? ({ startTimeUnixNano: '0' } as SeenSpan))
  return spans
    .map((span) => {
      const [at, took] = [startOf(span) - began, endOf(span) - startOf(span)].map((ms) => ms.toFixed(0).padStart(6))
      const more = [attribute(span, 'moorage.step'), attribute(span, 'moorage.reason')].filter(Boolean).join(' ')
      return `${at ?? ''} ms ${took ?? ''} ms  ${span.name} ${more}`.trimEnd()
    })
    .join('\n')
}

/** Of one trace: the milliseconds in each kind of span of a pass, and between passes. */
function partsOf(spans: readonly SeenSpan[]): Map<string, number> {
  const parts = new Map<string, number>()
  const add = (name: string, ms: number) => void parts.set(name, (parts.get(name) ?? 0) + ms)
  const passes = spans.filter(({ name }) => name === 'reconcile')
  for (const span of spans) if (/^(PUT|observe|step )/.test(span.name)) add(span.name, endOf(span) - startOf(span))
  for (const [index, pass] of passes.entries()) {
    const next = passes[index + 1]
    if (next !== undefined) add(between, Math.max(0, startOf(next) - endOf(pass)))
  }
  return parts
}

/** The median of each part over many traces, the largest first. */
export function partsTable(traces: readonly (readonly SeenSpan[])[]): string {
  const all = traces.map(partsOf)
  const names = [...new Set(all.flatMap((parts) => [...parts.keys()]))]
  const median = (name: string) => {
    const sorted = all.map((parts) => parts.get(name) ?? 0).sort((a, b) => a - b)
    return sorted[Math.floor(sorted.length / 2)] ?? 0
  }
  return names
    .map((name) => ({ name, ms: median(name) }))
    .sort((a, b) => b.ms - a.ms)
    .map(({ name, ms }) => `  ${name.padEnd(28)}${ms.toFixed(0).padStart(6)} ms`)
    .join('\n')
}
