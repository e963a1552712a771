// Health and metrics on a port of their own, for probes and scrapes that carry no token. It serves three addresses and reads
// nothing of a request but its path.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Operations } from './operations.ts'
import { verboseReadiness } from './readiness.ts'

export interface OpsServer {
  readonly url: string
  close(): Promise<void>
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

const text = (status: number, body: string): Answer => ({ status, type: 'text/plain; charset=utf-8', body })

async function answerTo({ method, url = '' }: IncomingMessage, operations: Operations): Promise<Answer> {
  if (method !== 'GET' && method !== 'HEAD') return text(405, 'Only GET is known here.\n')
  const { pathname } = new URL(url, 'http://ops')
  if (pathname === '/livez') return text(200, 'ok\n')
  if (pathname === '/metrics') return { status: 200, ...(await operations.scrape()) }
  if (pathname !== '/readyz') return text(404, 'There are /livez, /readyz and /metrics.\n')
  const readiness = await operations.ready()
  return text(readiness.ok ? 200 : 503, verboseReadiness(readiness))
}

async function answer(request: IncomingMessage, response: ServerResponse, operations: Operations): Promise<void> {
  const { status, type, body } = await answerTo(request, operations).catch(() => text(500, 'This failed.\n'))
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
  response.end(request.method === 'HEAD' ? undefined : body)
}

/** Starts listening. Rejects when the port is taken. */
export async function startOpsServer(
  { host, port }: { readonly host: string; readonly port: number },
  operations: Operations,
): Promise<OpsServer> {
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000 }, (request, response) => {
    void answer(request, response, operations)
  })
  server.maxConnections = 100
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  const address = server.address() as AddressInfo
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
