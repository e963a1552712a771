// The processes of the proxy's benchmark, one part each: the upstream, the load, and the proxies that are compared.
// Started by proxy.ts with the part's name and its settings; speaks JSON over the process's channel.
import * as loads from './proxy-load.ts'
import { peers, upstream, type Server, type Settings } from './proxy-peers.ts'

/** A message: what is wanted, and with what. */
interface Wanted {
  readonly what: string
  readonly given: never
}

const { crowd, bursts, connects, hold, drop, messages, events } = loads
const load: Readonly<Record<string, (given: never) => unknown>> = { crowd, bursts, connects, hold, drop, messages, events } // prettier-ignore

function serve(server: Server): Readonly<Record<string, (given: never) => unknown>> {
  return { usage: server.usage, drain: () => server.drain?.() }
}

interface Started {
  readonly ready: object
  readonly answers: Readonly<Record<string, (given: never) => unknown>>
}

async function start(part: string, settings: Settings): Promise<Started> {
  if (part === 'upstream') return { ready: await upstream(), answers: {} }
  if (part === 'load') return { ready: {}, answers: load }
  const server = await peers[part]?.(settings)
  if (server === undefined) throw new Error(`there is no part ${part}`)
  return { ready: { port: server.port }, answers: serve(server) }
}

const [part = '', text = '{}'] = process.argv.slice(2)
const { ready, answers } = await start(part, JSON.parse(text) as Settings)
process.on('message', ({ what, given }: Wanted) => {
  void Promise.resolve(answers[what]?.(given)).then((value) => process.send?.(value ?? {}))
})
process.on('disconnect', () => process.exit())
process.send?.(ready)
