// Names on Fly, deterministic from the tenant's uid and incarnation, so that every create can be repeated and adopted.

/** Which installation of Moorage a resource belongs to. */
export interface Naming {
  /** `kc` unless set. */
  readonly prefix: string
  /** The environment's name: production, staging, dev... */
  readonly environment: string
}

/** A tenant's uid: 80 random bits in lower-case base32 (16 characters), never reused. */
export function newUid(bytes: (length: number) => Uint8Array): string {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'
  const bits = [...bytes(10)].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  return (bits.match(/.{5}/g) ?? []).map((five) => alphabet.charAt(parseInt(five, 2))).join('')
}

export function machineName(naming: Naming, uid: string, incarnation: number): string {
  return `${naming.prefix}-${naming.environment}-${uid}-${incarnation}`
}

/** At most 30 characters of a-z, 0-9 and underscore, which is Fly's rule for volumes. */
export function volumeName(naming: Naming, uid: string, incarnation: number): string {
  return `${naming.prefix}_${naming.environment.slice(0, 3)}_${uid}_${String(incarnation).padStart(3, '0')}`
}

/** The uid and incarnation in a machine's or a volume's name; undefined where the name is not one of this installation's. */
export function parseName(
  naming: Naming,
  name: string,
): { readonly uid: string; readonly incarnation: number } | undefined {
  const { prefix, environment } = naming
  const machine = new RegExp(`^${prefix}-${environment}-([a-z2-7]{16})-([1-9]\\d*)$`).exec(name)
  const volume = new RegExp(`^${prefix}_${environment.slice(0, 3)}_([a-z2-7]{16})_(\\d{3,})$`).exec(name)
  const [, uid, incarnation] = machine ?? volume ?? []
  return uid === undefined ? undefined : { uid, incarnation: Number(incarnation) }
}

/** The name of a pool member: no DNS label, so no tenant can be given it and no address leads to it. */
export function memberName(uid: string): string {
  return `_pool-${uid}`
}

/** The machine metadata keys that say whose a machine is. */
export const metadataKeys = {
  environment: 'moorage_env',
  uid: 'moorage_uid',
  incarnation: 'moorage_inc',
  tenant: 'moorage_tenant',
  specHash: 'moorage_spec_hash',
  hashVersion: 'moorage_hash_version',
  term: 'moorage_term',
  /** The tenant's spec, so that a lost database can be rebuilt from the fleet (specs/record.ts). */
  record: 'moorage_record',
  /** Since when a machine without a tenant is kept aside. */
  quarantine: 'moorage_quarantine',
  /** `pool`: made for a pool and not made anew since; `own`: made anew for the tenant that claimed it. */
  form: 'moorage_form',
  /** When and from which pool a tenant claimed it. */
  claim: 'moorage_claim',
} as const

export interface CertificatePolicy {
  readonly domain: string
  /** `wildcard`: one certificate for all of the platform's hosts; `per-host`: the seed's way. */
  readonly certificates: 'wildcard' | 'per-host'
}

/** The hosts that lead to a tenant: its own label under the platform's domain, then its own domains. */
export function tenantHosts(name: string, domains: readonly string[], policy: CertificatePolicy): string[] {
  return [`${name}.${policy.domain}`, ...domains]
}

export interface WantedCertificate {
  readonly host: string
  /** A shared certificate outlives any one tenant. */
  readonly shared: boolean
}

/** The certificates that a tenant needs. */
export function tenantCertificates(
  name: string,
  domains: readonly string[],
  policy: CertificatePolicy,
): WantedCertificate[] {
  const platform =
    policy.certificates === 'wildcard'
      ? { host: `*.${policy.domain}`, shared: true }
      : { host: `${name}.${policy.domain}`, shared: false }
  return [platform, ...domains.map((host) => ({ host, shared: false }))]
}
