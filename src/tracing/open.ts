// Traces over OTLP, by the OpenTelemetry SDK and without any of its automatic parts: spans are begun by hand at the few
// places that have one. Nothing is global, so that two in one process do not meet.
import { AsyncLocalStorage } from 'node:async_hooks'
import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Context,
  type Span,
  type SpanContext,
  type Tracer,
} from '@opentelemetry/api'
import { AlwaysOnSampler, BatchSpanProcessor, ParentBasedSampler, TracerProvider, type SpanExporter } from '@opentelemetry/sdk-trace' // prettier-ignore
import { Fault } from '../../specs/faults.ts'
import { noSpans, type SpanNote, type Spans, type SpanValues } from '../../reconciler/spans.ts'
import { resourceOf } from './resource.ts'
import { readTraceparent } from './traceparent.ts'

export interface RequestNote extends SpanNote {
  /** Names the span by what took the request: names of tenants are no names of spans. */
  route(method: string, route: string): void
}

export interface Tracing {
  readonly spans: Spans
  /** A request of the REST API, a part of the caller's trace where it sends one. */
  request<T>(
    request: { readonly method: string; readonly path: string; readonly traceparent: string },
    work: (note: RequestNote) => Promise<T>,
  ): Promise<T>
  /** Of what is under way, to be carried on by others; undefined where no trace is. */
  traceparent(): string | undefined
  /** Sends what is left. */
  close(): Promise<void>
}

/** Traces nothing and costs nothing. */
export const noTracing: Tracing = {
  spans: noSpans,
  request: (_request, work) => work({ set: () => {}, failed: () => {}, route: () => {} }),
  traceparent: () => undefined,
  close: () => Promise.resolve(),
}

function remote(traceparent: string | undefined): SpanContext | undefined {
  const found = readTraceparent(traceparent)
  if (found === undefined) return undefined
  const { traceId, spanId, flags } = found
  return { traceId, spanId, traceFlags: flags & TraceFlags.SAMPLED, isRemote: true }
}

function below(traceparent: string | undefined): Context {
  const found = remote(traceparent)
  return found === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, found)
}

function written({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`
}

function noteOf(span: Span): RequestNote {
  return {
    set: (values) => {
      for (const [key, value] of Object.entries(values)) if (value !== undefined) span.setAttribute(key, value)
    },
    route: (method, route) => {
      span.updateName(`${method} ${route}`)
      span.setAttribute('http.route', route)
    },
    failed: (reason) => span.setStatus({ code: SpanStatusCode.ERROR, message: reason }),
  }
}

/** What may be said of an error: a Fault's reason is ours; any other's message may hold anything. */
const reasonOf = (error: unknown) =>
  error instanceof Fault ? error.rule.reason : error instanceof Error ? error.name : 'Error'

export interface TracingOptions {
  readonly exporter: SpanExporter
  readonly service: string
  readonly version: string
}

class Course {
  readonly #current = new AsyncLocalStorage<Context>()
  readonly #tracer: Tracer

  constructor(tracer: Tracer) {
    this.#tracer = tracer
  }

  get current(): Context | undefined {
    return this.#current.getStore()
  }

  /** Runs the work as a part of no trace, whatever is under way. */
  outside<T>(work: () => Promise<T>): Promise<T> {
    return this.#current.exit(work)
  }

  /** Runs the work as a span below `parent`. */
  async run<T>(
    { name, kind, values, parent }: { name: string; kind: SpanKind; values: SpanValues; parent: Context },
    work: (note: RequestNote) => Promise<T>,
  ): Promise<T> {
    const span = this.#tracer.startSpan(name, { kind }, parent)
    const note = noteOf(span)
    note.set(values)
    try {
      return await this.#current.run(trace.setSpan(parent, span), () => work(note))
    } catch (error) {
      note.failed(reasonOf(error))
      throw error
    } finally {
      span.end()
    }
  }
}

/** Traces that go to the exporter in batches, every five seconds. */
export function openTracing({ exporter, service, version }: TracingOptions): Tracing {
  const provider = new TracerProvider({
    resource: resourceOf({ 'service.name': service, 'service.version': version }),
    sampler: new ParentBasedSampler({ root: new AlwaysOnSampler() }),
    spanProcessors: [new BatchSpanProcessor({ exporter, exportTimeoutMillis: 10_000 })],
  })
  const course = new Course(provider.getTracer('moorage', version))
  return {
    spans: {
      pass: (tenant, parent, work) => {
        // It may have been woken by a timer or a slot that another tenant's request set.
        if (remote(parent) === undefined) return course.outside(work)
        const { name, uid, generation } = tenant
        const values = { 'moorage.tenant': name, 'moorage.uid': uid, 'moorage.generation': generation }
        return course.run({ name: 'reconcile', kind: SpanKind.CONSUMER, values, parent: below(parent) }, work)
      },
      span: (name, values, work) => {
        const parent = course.current
        if (parent === undefined) return noSpans.span(name, values, work)
        const kind = name.startsWith('fly ') ? SpanKind.CLIENT : SpanKind.INTERNAL
        return course.run({ name, kind, values, parent }, work)
      },
    },
    request: ({ method, path, traceparent }, work) => {
      const values = { 'http.request.method': method, 'url.path': path }
      return course.run({ name: method, kind: SpanKind.SERVER, values, parent: below(traceparent) }, work)
    },
    traceparent: () => {
      const span = course.current === undefined ? undefined : trace.getSpan(course.current)
      return span === undefined ? undefined : written(span.spanContext())
    },
    close: () => provider.shutdown(),
  }
}
