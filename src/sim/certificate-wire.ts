// Certificates as they look on the wire. The DNS side is made up: whatever a host needs, it has.
import { createHash } from 'node:crypto'
import { time } from './machine-wire.ts'
import type { CertificateRecord } from './state.ts'
import type { World } from './world.ts'

const lifetimeMs = 90 * 24 * 3_600_000

/** Status of the whole, in the documentation's words. */
export type CertificateStatus = 'active' | 'pending_validation' | 'pending_ownership'

/** What the certificate reads now. */
export function certificateStatus(certificate: CertificateRecord): CertificateStatus {
  if (certificate.issuedAt !== undefined) return 'active'
  return certificate.custom ? 'pending_ownership' : 'pending_validation'
}

const token = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 7)

function entryOf(certificate: CertificateRecord): Record<string, unknown> {
  const { issuedAt } = certificate
  const expires = issuedAt === undefined ? undefined : time(issuedAt + lifetimeMs)
  return {
    source: certificate.custom ? 'custom' : 'fly',
    status: certificateStatus(certificate),
    created_at: time(certificate.createdAt),
    issuer: certificate.custom ? 'Unknown' : "Let's Encrypt",
    ...(expires === undefined ? {} : { expires_at: expires }),
    issued:
      expires === undefined
        ? []
        : ['rsa', 'ecdsa'].map((type) => ({ type, expires_at: expires, certificate_authority: 'lets_encrypt' })),
  }
}

function validationErrors(certificate: CertificateRecord): Record<string, unknown>[] {
  if (certificate.rateLimitedUntil === undefined || certificate.issuedAt !== undefined) return []
  return [
    {
      code: 'rate_limited',
      message: `Let's Encrypt issues no more certificates for this domain until ${time(certificate.rateLimitedUntil)}`,
      remediation: 'Wait, or use one wildcard certificate for all hosts of the domain.',
      timestamp: time(certificate.updatedAt),
    },
  ]
}

const bare = (hostname: string): string => hostname.replace(/^\*\./, '')

/** A certificate in full. */
export function certificateWire(world: World, certificate: CertificateRecord): Record<string, unknown> {
  const { hostname, issuedAt, rateLimitedUntil } = certificate
  const active = issuedAt !== undefined
  const wildcard = hostname.startsWith('*.')
  const limited = !active && rateLimitedUntil !== undefined && rateLimitedUntil > world.clock.now()
  const id = token(`${certificate.app}/${hostname}`)
  return {
    hostname,
    configured: active,
    acme_requested: certificate.acme,
    status: certificateStatus(certificate),
    dns_provider: 'simulator',
    rate_limited_until: limited ? time(rateLimitedUntil) : null,
    certificates: [entryOf(certificate)],
    validation: {
      dns_configured: active,
      alpn_configured: active && !wildcard,
      http_configured: active && !wildcard,
      ownership_txt_configured: active,
    },
    dns_requirements: {
      a: ['127.0.0.1'],
      aaaa: ['::1'],
      cname: `${certificate.app}.fly.dev`,
      acme_challenge: { name: `_acme-challenge.${bare(hostname)}`, target: `${bare(hostname)}.${id}.flydns.net` },
      ownership: { name: `_fly-ownership.${bare(hostname)}`, app_value: `app-${id}`, org_value: `org-${id}` },
    },
    validation_errors: validationErrors(certificate),
  }
}

/** What a check finds in the DNS. */
export function dnsRecords(world: World, certificate: CertificateRecord): Record<string, unknown> {
  const { dns_requirements: wanted } = certificateWire(world, certificate) as {
    dns_requirements: { a: string[]; aaaa: string[]; acme_challenge: { target: string } }
  }
  return {
    a: wanted.a,
    aaaa: wanted.aaaa,
    cname: [],
    resolved_addresses: [...wanted.a, ...wanted.aaaa],
    acme_challenge_cname: wanted.acme_challenge.target,
    ownership_txt: '',
    soa: 'localhost',
  }
}

/** A certificate in a list. */
export function summaryWire(certificate: CertificateRecord): Record<string, unknown> {
  const active = certificate.issuedAt !== undefined
  return {
    hostname: certificate.hostname,
    configured: active,
    status: certificateStatus(certificate),
    acme_requested: certificate.acme,
    dns_provider: 'simulator',
    has_fly_certificate: certificate.acme && active,
    has_custom_certificate: certificate.custom,
    acme_dns_configured: active,
    acme_alpn_configured: active && !certificate.hostname.startsWith('*.'),
    acme_http_configured: active && !certificate.hostname.startsWith('*.'),
    ownership_txt_configured: active,
    created_at: time(certificate.createdAt),
    updated_at: time(certificate.updatedAt),
  }
}
