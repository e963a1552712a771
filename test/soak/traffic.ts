// The soak's users: pages, uploads, streams of events and WebSockets, for tenants drawn at random. Each request ends with
// exactly one entry in the ledger.
import http, { type IncomingMessage } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'
import type { Ledger, Target } from './ledger.ts'

/** No limit of the proxy's is longer than this for what the soak asks. */
const silentMs = 75_000

export interface Traffic {
  readonly port: number
  readonly ledger: Ledger
  readonly agent: http.Agent
  readonly going: () => boolean
}

interface Asked {
  readonly what: string
  readonly method: string
  readonly path: string
  readonly body?: Buffer
  /** Whether a complete answer is as it should be. */
  readonly right: (body: Buffer) => boolean
}

const upload = Buffer.alloc(300_000, 'u')

const kinds: readonly Asked[] = [
  { what: 'GET', method: 'GET', path: '/', right: (body) => body.includes('</html>') },
  { what: 'GET', method: 'GET', path: '/headers', right: (body) => body.includes('rawHeaders') },
  { what: 'HEAD', method: 'HEAD', path: '/', right: (body) => body.length === 0 },
  { what: 'POST', method: 'POST', path: '/echo', body: Buffer.from('ahoy'), right: (body) => body.toString() === 'ahoy' }, // prettier-ignore
  { what: 'upload', method: 'POST', path: '/echo', body: upload, right: (body) => body.equals(upload) },
  { what: 'SSE', method: 'GET', path: '/sse?count=20&every=250', right: (body) => body.includes('"tick":20') },
]

/** One request, to its end. */
function request({ port, ledger, agent }: Traffic, target: Target, { what, method, path, body, right }: Asked) {
  return new Promise<void>((resolve) => {
    const since = Date.now()
    let begun = false
    const headers = {
      host: `${target.name}.localhost`,
      ...(body === undefined ? {} : { 'content-length': body.length }),
    }
    const asked = http.request({ host: '127.0.0.1', port, method, path, headers, agent, timeout: silentMs })
    const done = (tell: () => void) => {
      if (!ended) tell()
      ended = true
      resolve()
    }
    let ended = false
    asked.on('timeout', () => {
      done(() => ledger.lost(what, target, `silence for ${silentMs} ms, ${begun ? 'answer begun' : 'no answer'}`))
      asked.destroy()
    })
    asked.on('error', ({ message }) =>
      done(() => (begun ? ledger.cut : ledger.lost).call(ledger, what, target, message)),
    )
    asked.on('response', (answer) => {
      begun = true
      const headMs = Date.now() - since
      const parts: Buffer[] = []
      answer.on('data', (part: Buffer) => parts.push(part))
      answer.on('error', (error) => done(() => ledger.cut(what, target, error.message)))
      answer.on('end', () =>
        done(() => {
          const whole = Buffer.concat(parts)
          const { statusCode: status = 0 } = answer
          if (!ledger.answered(what, target, { status, headers: answer.headers, text: whole.toString('latin1', 0, 2_000) })) return // prettier-ignore
          if (status !== 200 || !right(whole))
            ledger.violated(`${what} of ${target.name}: ${status}, ${whole.length} bytes`) // prettier-ignore
          else ledger.count(`${what} served`)
          if (target.group === 'steady') ledger.times.push(headMs)
        }),
      )
    })
    asked.end(body)
  })
}

/** Asks one thing after the other until the end. `draw`: a number in [0, 1). */
export async function browse(traffic: Traffic, targets: () => readonly Target[], draw: () => number): Promise<void> {
  while (traffic.going()) {
    const among = targets()
    const target = among[Math.floor(draw() * among.length)]
    const kind = kinds[Math.floor(draw() * kinds.length)]
    if (target !== undefined && kind !== undefined) await request(traffic, target, kind)
    await delay(100 + draw() * 400)
  }
}

const sayEveryMs = 20_000
const echoMs = 45_000

/** One WebSocket's life: opened, checked, spoken on, and over. */
function converse({ port, ledger, going }: Traffic, target: Target, draw: () => number): Promise<'refused' | 'over'> {
  return new Promise((resolve) => {
    const headers = { host: `${target.name}.localhost` }
    const socket = new WebSocket(`ws://127.0.0.1:${port}/echo`, { headers, handshakeTimeout: silentMs })
    let open = false
    let refused = false
    let leaving = false
    let failure = ''
    let waiting: { said: string; until: number } | undefined
    let said = 0
    const say = () => {
      if (socket.readyState !== WebSocket.OPEN) return
      if (!going()) {
        leaving = true
        socket.close(1000)
      } else if (waiting !== undefined) {
        if (Date.now() <= waiting.until) return
        ledger.lost('message', target, `no echo within ${echoMs} ms`)
        waiting = undefined
      } else {
        waiting = { said: `${target.uid} ${(said += 1)}`, until: Date.now() + echoMs }
        socket.send(waiting.said)
      }
    }
    const timer = setInterval(say, sayEveryMs * (0.75 + draw() / 2))
    const stop = setInterval(() => !going() && say(), 1_000)
    socket.on('upgrade', (answer: IncomingMessage) => {
      const { statusCode: status = 0 } = answer
      open = ledger.answered('WebSocket', target, { status, headers: answer.headers, text: '' })
      if (open) ledger.count('WebSocket opened')
    })
    socket.on('open', say)
    socket.on('message', (data: Buffer) => {
      if (data.toString() !== waiting?.said)
        ledger.violated(`CROSSING: ${target.name} was told ${data.toString().slice(0, 80)}`) // prettier-ignore
      else ledger.count('message echoed')
      waiting = undefined
    })
    socket.on('unexpected-response', (asked, answer: IncomingMessage) => {
      refused = true
      let text = ''
      answer.on('data', (part: Buffer) => (text += part.toString('latin1')))
      const end = () => {
        ledger.answered('WebSocket', target, { status: answer.statusCode ?? 0, headers: answer.headers, text })
        asked.destroy()
        finish()
      }
      answer.on('end', end).on('error', end)
    })
    let over = false
    const finish = () => {
      if (over) return
      over = true
      clearInterval(timer)
      clearInterval(stop)
      resolve(refused ? 'refused' : 'over')
    }
    socket.on('error', (error) => (failure = error.message))
    socket.on('close', (code) => {
      if (!open && !refused) ledger.lost('WebSocket', target, failure)
      else if (open && !leaving) ledger.cut('WebSocket', target, `close ${code} ${failure}`)
      finish()
    })
  })
}

/** Keeps one WebSocket of a tenant open, again after each end. */
export async function attend(traffic: Traffic, pick: () => Target | undefined, draw: () => number): Promise<void> {
  while (traffic.going()) {
    const target = pick()
    const end = target === undefined ? 'refused' : await converse(traffic, target, draw)
    const waitMs = end === 'refused' ? 3_000 + draw() * 4_000 : 500 + draw() * 1_500
    if (traffic.going()) await delay(waitMs)
  }
}
