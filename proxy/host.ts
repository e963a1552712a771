// Which host a request means, or why that is in doubt. In doubt it is refused: two readings of one request are how traffic
// crosses. Pure.

export interface RequestHead {
  readonly httpVersion: string
  readonly url: string
  /** Names and values in turn, as they came: Node's own `headers` keep only the first of two Hosts. */
  readonly rawHeaders: readonly string[]
}

export type Asked =
  | {
      readonly kind: 'host'
      /** Lower-case, without port and trailing dot. */
      readonly host: string
      /** The host with the port, if one was given. */
      readonly authority: string
      /** In origin form: path and query. */
      readonly path: string
    }
  | { readonly kind: 'refused'; readonly detail: string }

interface Authority {
  readonly host: string
  readonly authority: string
}

const name = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
const authorityForm = /^([A-Za-z0-9.-]{1,254})(?::(\d{1,5}))?$/
const absoluteForm = /^https?:\/\/([^/?#]*)(.*)$/i

/** Reads `host[:port]`; undefined when it is no DNS name (userinfo, underscores, IDN and IPv6 literals are none). */
export function readAuthority(text: string): Authority | undefined {
  const [, told, port] = authorityForm.exec(text) ?? []
  if (told === undefined) return undefined
  const lower = told.toLowerCase()
  const host = lower.endsWith('.') ? lower.slice(0, -1) : lower
  if (host.length > 253 || !name.test(host)) return undefined
  if (port === undefined) return { host, authority: host }
  const number = Number(port)
  return number >= 1 && number <= 65_535 ? { host, authority: `${host}:${number}` } : undefined
}

function hostHeaders(rawHeaders: readonly string[]): string[] {
  const values: string[] = []
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    if (name.length === 4 && name.toLowerCase() === 'host') values.push(rawHeaders[index + 1] ?? '')
  }
  return values
}

const refused = (detail: string): Asked => ({ kind: 'refused', detail })

/** The path and query of an absolute form, if it names the same host; RFC 9112 3.2.2 makes a server accept that form. */
function absolutePath(url: string, host: string): string | undefined {
  const [, authority, rest] = absoluteForm.exec(url) ?? []
  if (authority === undefined || rest === undefined || readAuthority(authority)?.host !== host) return undefined
  return rest.startsWith('/') ? rest : `/${rest}`
}

/** Reads the host and the path of a request. A refusal's detail is for the client: it repeats nothing the client sent. */
export function readRequest({ url, rawHeaders }: RequestHead): Asked {
  const [value, ...more] = hostHeaders(rawHeaders)
  if (value === undefined) return refused('The request names no host.')
  if (more.length > 0) return refused('The request names more than one host.')
  const named = readAuthority(value.trim())
  if (named === undefined) return refused('The host that the request names is not a valid DNS name.')
  const path = url.startsWith('/') ? url : absolutePath(url, named.host)
  if (path === undefined) return refused('The request target is not a path on the host that the request names.')
  // http-proxy-middleware matches paths by way of URL, and leaves a request unanswered that URL cannot read (`//`). Where the
  // second character is none of these, URL reads every path.
  if (/^\/[/\\]/.test(path) && !URL.canParse(path, 'http://tenant.invalid'))
    return refused('The request target is not a valid path.')
  return { kind: 'host', ...named, path }
}
