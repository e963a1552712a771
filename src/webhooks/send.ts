// One POST to somebody's endpoint: bounded in time and size, without redirects, and never into a private network, whatever
// a name resolves to in the moment of connecting.
import { lookup, type LookupAddress, type LookupAllOptions } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { Agent, request } from 'undici'
import type { Clock } from '../../specs/clock.ts'

const timeoutMs = 10_000
const mostAnswerBytes = 65_536

function networks(family: 'ipv4' | 'ipv6', ranges: string): BlockList {
  const list = new BlockList()
  for (const range of ranges.split(' ')) {
    const [net = '', bits = ''] = range.split('/')
    list.addSubnet(net, Number(bits), family)
  }
  return list
}

/** What is not the public internet (IANA special-purpose registries); Fly's private network is in fc00::/7. */
const private4 = networks(
  'ipv4',
  '0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4',
)
/** With the addresses that only wrap one of IPv4. */
const private6 = networks(
  'ipv6',
  '::/96 ::ffff:0:0/96 64:ff9b::/32 100::/64 2001::/23 2001:db8::/32 2002::/16 fc00::/7 fe80::/10 ff00::/8',
)

/** Whether an address is not one of the public internet. */
export function isPrivate(address: string): boolean {
  const family = isIP(address)
  if (family === 6) return private6.check(address, 'ipv6')
  return family === 0 || private4.check(address, 'ipv4')
}

/** Why a URL cannot be told; undefined: it can. Names are looked up only when they are connected to. */
export function urlProblem(text: string, allowPrivate: boolean): string | undefined {
  if (!URL.canParse(text)) return 'must be a URL'
  const { protocol, hostname, username, password, hash } = new URL(text)
  if (protocol !== 'https:' && !(allowPrivate && protocol === 'http:')) return 'must begin with https://'
  if (username !== '' || password !== '' || hash !== '') return 'must have no user, password or fragment'
  if (allowPrivate) return undefined
  const host = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
  const isLocal = host === 'localhost' || /\.(localhost|internal|local)$/.test(host)
  return isLocal || (isIP(host) !== 0 && isPrivate(host)) ? 'must not lead into a private network' : undefined
}

/** As the system's own lookup with all addresses. */
export type Resolve = (
  host: string,
  options: LookupAllOptions,
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/** A lookup that only finds public addresses, so that a name cannot be public when checked and private when used. */
export function publicLookup(resolve: Resolve): LookupFunction {
  return (host, options, done) => {
    resolve(host, { ...options, all: true }, (error, addresses) => {
      // Where the lookup failed there are no addresses at all.
      const [first] = error === null ? addresses : []
      if (error !== null) done(error, [])
      else if (first === undefined || addresses.some(({ address }) => isPrivate(address)))
        done(new Error('the name leads into a private network'), [])
      else if (options.all === true) done(null, addresses)
      else done(null, first.address, first.family)
    })
  }
}

export interface Sending {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** How a try went; `status` is undefined where there was no answer. */
export interface Sent {
  readonly status: number | undefined
  readonly error: string | undefined
}

export interface Sender {
  /** Never throws for what is outside. */
  send(sending: Sending): Promise<Sent>
  close(): Promise<void>
}

export interface SenderOptions {
  readonly clock: Clock
  readonly allowPrivate: boolean
  /** Left out: the system's. */
  readonly resolve?: Resolve
}

/** The sender over HTTP. */
export function httpSender({ clock, allowPrivate, resolve = lookup }: SenderOptions): Sender {
  const guard = allowPrivate ? {} : { lookup: publicLookup(resolve) }
  const connect = { timeout: timeoutMs, ...guard }
  const agent = new Agent({ connect, connections: 8, keepAliveTimeout: 5_000 })
  return {
    send: async ({ url, headers, body }) => {
      const problem = urlProblem(url, allowPrivate)
      if (problem !== undefined) return { status: undefined, error: `The URL ${problem}.` }
      const controller = new AbortController()
      const cancel = clock.after(timeoutMs, () => controller.abort())
      try {
        const options = { method: 'POST', headers, body, dispatcher: agent, signal: controller.signal } as const
        const answer = await request(url, options)
        await answer.body.dump({ limit: mostAnswerBytes, signal: controller.signal })
        const { statusCode: status } = answer
        return { status, error: status >= 200 && status < 300 ? undefined : `It answered with ${status}.` }
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        return { status: undefined, error: controller.signal.aborted ? 'No answer in 10 s.' : reason.slice(0, 200) }
      } finally {
        cancel()
      }
    },
    close: () => agent.destroy(),
  }
}
