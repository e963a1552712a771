// The public keys of an OIDC issuer: discovered, fetched, fetched again for a key that is new (jose's createRemoteJWKSet), and
// remembered for a while in which the issuer cannot be asked. A key that is not known then is nobody's: never a reason to accept.
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  type CryptoKey,
  type FlattenedJWSInput,
  type JSONWebKeySet,
  type JWSHeaderParameters,
} from 'jose'
import { z } from 'zod'
import type { Clock, Instant } from '../../specs/clock.ts'
import { Fault } from '../../specs/faults.ts'
import { refusalOf } from './jwt.ts'

type RemoteSet = ReturnType<typeof createRemoteJWKSet>

export interface IssuerTimes {
  /** For discovery and for the keys, each. */
  readonly timeoutMs: number
  /** For an unknown key the issuer is asked again so often at most. */
  readonly cooldownMs: number
  /** Keys are fetched again after so long at the latest. */
  readonly freshMs: number
  /** After a failure the issuer is left alone for so long. */
  readonly downMs: number
  /** For how long known keys count while the issuer cannot be asked. */
  readonly rememberedMs: number
}

export const issuerTimes: IssuerTimes = {
  timeoutMs: 5_000,
  cooldownMs: 30_000,
  freshMs: 600_000,
  downMs: 5_000,
  rememberedMs: 3_600_000,
}

export interface IssuerOptions {
  readonly issuer: string
  readonly clock: Clock
  readonly log: { warn(fields: object, message: string): void }
  readonly times: IssuerTimes
}

const rediscoverMs = 3_600_000
const configuration = z.object({ issuer: z.string(), jwks_uri: z.url() })

/** Whether the address is one at which nobody on the way can put in keys of his own. */
export function isTrustedAddress(address: string): boolean {
  const { protocol, hostname } = new URL(address)
  return protocol === 'https:' || (protocol === 'http:' && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname))
}

async function discover({ issuer, times }: IssuerOptions): Promise<RemoteSet> {
  const address = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  const signal = AbortSignal.timeout(times.timeoutMs)
  const response = await fetch(address, { signal, redirect: 'error', headers: { accept: 'application/json' } })
  if (response.status !== 200) throw new Error(`the issuer answered ${response.status} to discovery`)
  const said = configuration.parse(await response.json())
  // OpenID Connect Discovery 4.3: anything else is another issuer's word.
  if (said.issuer !== issuer) throw new Error('the configuration at the issuer is of another issuer')
  if (!isTrustedAddress(said.jwks_uri)) throw new Error('the issuer keeps its keys at an address without https')
  const { timeoutMs, cooldownMs, freshMs } = times
  return createRemoteJWKSet(new URL(said.jwks_uri), {
    timeoutDuration: timeoutMs,
    cooldownDuration: cooldownMs,
    cacheMaxAge: freshMs,
  })
}

export class IssuerKeys {
  readonly #options: IssuerOptions
  #discovered: { readonly set: RemoteSet; readonly at: Instant } | undefined
  #discovering: Promise<RemoteSet> | undefined
  #remembered: { readonly keys: JSONWebKeySet; readonly at: Instant } | undefined
  #downUntil = 0

  constructor(options: IssuerOptions) {
    this.#options = options
  }

  /** The key that the header names. Throws jose's errors for a key that there is not, and a Fault where nobody can say. */
  async find(header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey> {
    const { clock, log, times } = this.#options
    if (clock.now() < this.#downUntil) return this.#fromMemory(header, token)
    try {
      const set = await this.#set()
      const key = await set(header, token)
      const keys = set.jwks()
      if (keys !== undefined) this.#remembered = { keys, at: clock.now() }
      return key
    } catch (error) {
      if (refusalOf(error) !== undefined) throw error
      this.#downUntil = clock.now() + times.downMs
      log.warn({ err: error }, 'the OIDC issuer cannot be asked for its keys')
      return this.#fromMemory(header, token)
    }
  }

  /** A set that was discovered long ago is discovered anew; while that fails it is as good as it was. */
  async #set(): Promise<RemoteSet> {
    const known = this.#discovered
    if (known !== undefined && this.#options.clock.now() - known.at < rediscoverMs) return known.set
    this.#discovering ??= discover(this.#options).finally(() => (this.#discovering = undefined))
    const set = await this.#discovering
    this.#discovered = { set, at: this.#options.clock.now() }
    return set
  }

  async #fromMemory(header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey> {
    const { clock, times } = this.#options
    const kept = this.#remembered
    const unknown = (cause?: unknown) =>
      new Fault('unavailable', 'The OIDC issuer cannot be asked about this token.', { call: 'oidcKeys', cause })
    if (kept === undefined || clock.now() - kept.at > times.rememberedMs) throw unknown()
    try {
      return await createLocalJWKSet(kept.keys)(header, token)
    } catch (error) {
      throw unknown(error)
    }
  }
}
