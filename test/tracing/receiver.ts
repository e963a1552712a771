// A receiver of traces: OTLP over HTTP with JSON, kept as it came.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { ExecutionContext } from 'ava'

export interface SeenSpan {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[]
  readonly status: { readonly code?: number; readonly message?: string }
}

interface Export {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: SeenSpan['attributes'] }
    readonly scopeSpans: readonly { readonly spans: readonly SeenSpan[] }[]
  }[]
}

export interface Receiver {
  readonly url: string
  /** Everything that was sent, headers too. */
  text(): string
  spans(): readonly SeenSpan[]
  services(): readonly unknown[]
}

/** The value of an attribute; undefined where the span has none. */
export function attribute({ attributes }: Pick<SeenSpan, 'attributes'>, key: string): unknown {
  const found = attributes.find((each) => each.key === key)
  return found === undefined ? undefined : Object.values(found.value)[0]
}

/** For a test, which ends it. */
export async function startReceiver(t: ExecutionContext): Promise<Receiver> {
  const receiver = await openReceiver()
  t.teardown(() => receiver.close())
  return receiver
}

export async function openReceiver(): Promise<Receiver & { readonly close: () => void }> {
  const heard: string[] = []
  const exports: Export[] = []
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      heard.push(`${request.method} ${request.url} ${JSON.stringify(request.headers)}\n${body}`)
      exports.push(JSON.parse(body) as Export)
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const resources = () => exports.flatMap(({ resourceSpans }) => resourceSpans)
  return {
    close: () => {
      server.close()
      server.closeAllConnections()
    },
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    text: () => heard.join('\n'),
    spans: () => resources().flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)),
    services: () => resources().map(({ resource }) => attribute(resource, 'service.name')),
  }
}
