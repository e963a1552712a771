// The service tokens of an installation: made, rotated and revoked by admins, and asked about with every request. What a
// token may do is read from the store and kept for seconds, so a revocation holds everywhere within that time.
import type { Clock, Instant } from '../../specs/clock.ts'
import { newUid } from '../../specs/names.ts'
import { refused, type Role, type Verdict } from './identity.ts'
import { rotated, tokenProblem, type ServiceToken } from './service-token.ts'
import type { TokenSigner } from './token-signer.ts'

export interface TokenStore {
  add(token: ServiceToken): Promise<void>
  get(id: string): Promise<ServiceToken | undefined>
  /** In the order of ids, starting after `after`. */
  page(query: { readonly after?: string | undefined; readonly limit: number }): Promise<readonly ServiceToken[]>
  /** Writes the token if nobody wrote it since it was read; undefined when somebody did. The last use is left as it is. */
  save(token: ServiceToken): Promise<ServiceToken | undefined>
  /** Notes a use; an earlier one than is known changes nothing. */
  used(id: string, at: Instant): Promise<void>
}

export interface NewToken {
  readonly name: string
  readonly role: Role
  readonly selector: string | undefined
  readonly lifeMs: number
  /** The id of who makes it. */
  readonly by: string
}

/** The token, and the one time that its secret is shown. */
export interface Issued {
  readonly token: ServiceToken
  readonly secret: string
}

export interface ServiceTokens extends Pick<TokenStore, 'get' | 'page'> {
  create(wanted: NewToken): Promise<Issued>
  /** Undefined when the token was written since it was read. */
  rotate(token: ServiceToken, times: { readonly lifeMs: number; readonly graceMs: number }): Promise<Issued | undefined>
  revoke(token: ServiceToken): Promise<ServiceToken | undefined>
  /** Whose a text is. Rejects when the store cannot be asked: nothing is believed then. */
  verify(text: string): Promise<Verdict>
}

export interface ServiceTokenOptions {
  readonly store: TokenStore
  readonly signer: TokenSigner
  readonly clock: Clock
  readonly log: { warn(fields: object, message: string): void }
}

/** How long a token is taken at its word without asking the store again. */
export const believedMs = 5_000
/** A use is noted so often at most. */
export const notedMs = 60_000
/** Only tokens that we signed get here; beyond so many the memory begins anew. */
const mostKept = 10_000

class Memory {
  readonly #options: ServiceTokenOptions
  readonly #known = new Map<string, { readonly token: ServiceToken; readonly at: Instant }>()
  readonly #noted = new Map<string, Instant>()

  constructor(options: ServiceTokenOptions) {
    this.#options = options
  }

  forget(id: string): void {
    this.#known.delete(id)
  }

  async find(id: string): Promise<ServiceToken | undefined> {
    const { store, clock } = this.#options
    const kept = this.#known.get(id)
    const now = clock.now()
    // A clock that was set back must not keep a token alive.
    if (kept !== undefined && Math.abs(now - kept.at) < believedMs) return kept.token
    const token = await store.get(id)
    if (this.#known.size >= mostKept) this.#known.clear()
    if (token === undefined) this.#known.delete(id)
    else this.#known.set(id, { token, at: now })
    return token
  }

  /** Nobody waits for it, and a use that cannot be noted is no reason to refuse one. */
  note({ id, lastUsedAt = 0 }: ServiceToken): void {
    const { store, clock, log } = this.#options
    const now = clock.now()
    if (now - Math.max(lastUsedAt, this.#noted.get(id) ?? 0) < notedMs) return
    if (this.#noted.size >= mostKept) this.#noted.clear()
    this.#noted.set(id, now)
    store.used(id, now).catch((error: unknown) => {
      log.warn({ err: error, token: id }, 'the use of a token could not be noted')
    })
  }
}

async function verify({ signer, clock }: ServiceTokenOptions, memory: Memory, text: string): Promise<Verdict> {
  const reading = await signer.read(text)
  if (!reading.ok) return refused(reading.reason)
  const token = await memory.find(reading.reference.id)
  if (token === undefined) return refused('unknown')
  const problem = tokenProblem(token, reading.reference, clock.now())
  if (problem !== undefined) return refused(problem)
  memory.note(token)
  const { id, name, role, selector } = token
  return { kind: 'known', identity: { id: `token:${id}`, name, role, selector } }
}

async function issue(options: ServiceTokenOptions, token: ServiceToken): Promise<Issued> {
  return { token, secret: await options.signer.sign(token) }
}

/** The service tokens over a store. */
export function serviceTokens(options: ServiceTokenOptions): ServiceTokens {
  const { store, clock } = options
  const memory = new Memory(options)
  const save = async (token: ServiceToken) => {
    const saved = await store.save(token)
    memory.forget(token.id)
    return saved
  }
  return {
    get: (id) => store.get(id),
    page: (query) => store.page(query),
    create: async ({ name, role, selector, lifeMs, by }) => {
      const id = newUid((length) => clock.bytes(length))
      const now = clock.now()
      const times = { createdAt: now, createdBy: by, expiresAt: now + lifeMs }
      const issued = await issue(options, { id, name, role, selector, ...times, version: 1, revision: 1 })
      await store.add(issued.token)
      return issued
    },
    rotate: async (token, { lifeMs, graceMs }) => {
      const now = clock.now()
      const saved = await save(rotated(token, now + lifeMs, now + graceMs))
      return saved && issue(options, saved)
    },
    revoke: (token) => save({ ...token, revokedAt: token.revokedAt ?? clock.now() }),
    verify: (text) => verify(options, memory, text),
  }
}
