// Sits between Moorage and the simulated Fly and lets a test do something at exactly one call: before Fly hears of it, after
// Fly has answered and before Moorage hears of that, or after Moorage has heard.
import http from 'node:http'
import type { AddressInfo } from 'node:net'

export type Moment = 'before' | 'unanswered' | 'answered'

export interface Wiretap {
  readonly url: string
  /** Changes that came through, as `POST /v1/apps/x/volumes`. */
  readonly changes: readonly string[]
  close(): Promise<void>
}

interface Exchange {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
}

async function bodyOf(stream: http.IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of stream) parts.push(part as Buffer)
  return Buffer.concat(parts)
}

function forward(target: string, request: http.IncomingMessage, body: Buffer): Promise<Exchange> {
  return new Promise((resolve, reject) => {
    const { method, url = '/', headers } = request
    const onward = http.request(`${target}${url}`, { method, headers, agent: false }, (response) => {
      bodyOf(response).then(
        (answer) => resolve({ status: response.statusCode ?? 502, headers: response.headers, body: answer }),
        reject,
      )
    })
    onward.on('error', reject)
    onward.end(body)
  })
}

/** `strike` is called at the `index`-th change (0 is the first), at the given moment; the exchange stops there. */
export async function tapFly(
  target: string,
  index: number,
  moment: Moment,
  strike: () => void | Promise<void>,
): Promise<Wiretap> {
  const changes: string[] = []
  const server = http.createServer((request, response) => {
    void (async () => {
      const body = await bodyOf(request)
      const isChange = request.method !== 'GET'
      const struck = isChange && changes.length === index
      if (isChange) changes.push(`${request.method ?? ''} ${request.url ?? ''}`)
      if (struck && moment === 'before') {
        await strike()
        request.socket.destroy()
        return
      }
      const answer = await forward(target, request, body)
      if (struck && moment === 'unanswered') {
        await strike()
        request.socket.destroy()
        return
      }
      response.writeHead(answer.status, answer.headers)
      response.end(answer.body)
      if (struck) await strike()
    })().catch(() => request.socket.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    changes,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
