// Who may call the API, and the record of what they did: service tokens, an OIDC issuer where one is set, and the audit.
import type { Db } from 'mongodb'
import { identityAuthenticator } from './api/authenticators.ts'
import type { ApiOptions } from './api/server.ts'
import { auditTrail } from './audit/trail.ts'
import { realClock } from './clock.ts'
import type { OidcSettings } from './identity/oidc.ts'
import { oidcVerifier } from './identity/oidc.ts'
import { serviceTokens } from './identity/service-tokens.ts'
import { tokenSigner } from './identity/token-signer.ts'
import { serviceTokenKey } from './keys.ts'
import { auditIn } from './store/audit.ts'
import { tokensIn } from './store/tokens.ts'

export interface CallerOptions {
  readonly db: Db
  readonly masterKey: Uint8Array
  /** Undefined: no issuer is set. */
  readonly oidc: OidcSettings | undefined
  readonly log: ApiOptions['log']
}

/** The parts of the API's options that are about callers. */
export async function openCallers(
  options: CallerOptions,
): Promise<Pick<ApiOptions, 'tokens' | 'authenticators' | 'audit'>> {
  const { db, masterKey, oidc, log } = options
  const clock = realClock
  const signer = await tokenSigner(serviceTokenKey(masterKey), clock)
  const tokens = serviceTokens({ store: tokensIn(db), signer, clock, log })
  const entries = auditIn(db)
  const verifiers = {
    service: (token: string) => tokens.verify(token),
    oidc: oidc && oidcVerifier({ ...oidc, clock, log }),
    log,
  }
  return {
    tokens,
    authenticators: [identityAuthenticator(verifiers)],
    audit: { entries, trail: auditTrail({ store: entries, clock, log }) },
  }
}
