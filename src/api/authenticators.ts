// From what a token is found to be to a caller. Which kind it is shows in its first letters, so none is tried twice.
import type { Verdict } from '../identity/identity.ts'
import { tokenPrefix } from '../identity/token-signer.ts'
import type { Authenticator } from './auth.ts'
import { Problem } from './problem.ts'

export type Verify = (token: string) => Promise<Verdict>

export interface Verifiers {
  readonly service: Verify
  /** Undefined: no issuer is set. */
  readonly oidc: Verify | undefined
  readonly log: { info(fields: object, message: string): void }
}

/** Service tokens and, where there is an issuer, its tokens. */
export function identityAuthenticator({ service, oidc, log }: Verifiers): Authenticator {
  return async (token) => {
    const verify = token.startsWith(tokenPrefix) ? service : oidc
    const verdict = await verify?.(token)
    switch (verdict?.kind) {
      case undefined:
        return undefined
      case 'known':
        return verdict.identity
      case 'refused':
        log.info({ reason: verdict.reason }, 'a token was refused')
        return undefined
      case 'roleless':
        log.info({ caller: verdict.id }, 'somebody without a role was refused')
        throw new Problem(403, 'forbidden', 'The issuer knows you, and its token gives you no role here.')
    }
  }
}
