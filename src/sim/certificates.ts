// Certificates: asked for, validated after a moment, counted against Let's Encrypt's weekly limits.
import * as z from 'zod'
import { certificateWire, dnsRecords, summaryWire } from './certificate-wire.ts'
import { type Answer, type Call, appOf, bodyOf, numberOf, ok } from './call.ts'
import { notFound, unprocessable } from './errors.ts'
import { ulid } from './ids.ts'
import { viewOf } from './lists.ts'
import type { AppRecord, CertificateRecord } from './state.ts'
import { type World, bytesOf } from './world.ts'

const weekMs = 7 * 24 * 3_600_000
// Let's Encrypt's limits as Fly's documentation quotes them.
const mostPerDomain = 50
const mostDuplicates = 5
const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
// Names under which registries sell third-level domains; enough to try the limit out, and no public suffix list.
const secondLevels = new Set(['co.uk', 'org.uk', 'com.au', 'com.br', 'co.jp', 'co.nz', 'co.za', 'fly.dev'])

const acmeRequest = z.looseObject({ hostname: z.string() })
const customRequest = acmeRequest.extend({ fullchain: z.string().min(1), private_key: z.string().min(1) })

/** The domain that Let's Encrypt counts by. */
export function registeredDomain(hostname: string): string {
  const labels = hostname.replace(/^\*\./, '').split('.')
  return labels.slice(secondLevels.has(labels.slice(-2).join('.')) ? -3 : -2).join('.')
}

/** `localhost` and what is below it is never limited: local runs use nothing else. */
const isLocal = (hostname: string): boolean => hostname === 'localhost' || hostname.endsWith('.localhost')

/** When the limits allow one more, as of `now`; undefined when they do already. */
function limitedUntil(world: World, wanted: CertificateRecord, now: number): number | undefined {
  if (isLocal(wanted.hostname) || !wanted.acme) return undefined
  const issued = world.store.all('certificate').filter((one) => one.acme && (one.issuedAt ?? 0) > now - weekMs)
  const domain = registeredDomain(wanted.hostname)
  const times = (records: readonly CertificateRecord[], most: number): number[] => {
    const sorted = records.map((one) => one.issuedAt ?? 0).sort((one, other) => one - other)
    return sorted
      .slice(Math.max(0, sorted.length - most), Math.max(0, sorted.length - most) + 1)
      .map((at) => at + weekMs)
  }
  const same = issued.filter((one) => one.hostname === wanted.hostname)
  const neighbours = issued.filter((one) => registeredDomain(one.hostname) === domain)
  const blocked = [
    ...(same.length >= mostDuplicates ? times(same, mostDuplicates) : []),
    ...(neighbours.length >= mostPerDomain ? times(neighbours, mostPerDomain) : []),
  ]
  return blocked.length === 0 ? undefined : Math.max(...blocked)
}

/** A certificate as it is now: due validation is done here, and written down. */
export function refresh(world: World, certificate: CertificateRecord): CertificateRecord {
  const now = world.clock.now()
  if (certificate.issuedAt !== undefined || certificate.deletedAt !== undefined || certificate.activeAt > now)
    return certificate
  if (certificate.rateLimitedUntil !== undefined && certificate.rateLimitedUntil > now) return certificate
  const subject = { action: 'certificateCreate', app: certificate.app, names: [certificate.hostname] }
  if (world.faults.peek('certificatePending', subject) !== undefined) return certificate
  const rateLimitedUntil = limitedUntil(world, certificate, now)
  const issuedAt = rateLimitedUntil === undefined ? now : undefined
  const record = { ...certificate, rateLimitedUntil, issuedAt, updatedAt: now }
  world.store.save({ kind: 'certificate', record })
  return record
}

function ofApp(world: World, app: AppRecord): CertificateRecord[] {
  return world.store
    .all('certificate')
    .filter((certificate) => certificate.app === app.id && certificate.deletedAt === undefined)
    .map((certificate) => refresh(world, certificate))
    .sort((one, other) => (one.hostname < other.hostname ? -1 : 1))
}

function certificateOf(world: World, call: Call): CertificateRecord {
  const hostname = (call.params['hostname'] ?? '').toLowerCase()
  const found = ofApp(world, appOf(world, call)).find((certificate) => certificate.hostname === hostname)
  if (found === undefined) throw notFound('certificate')
  return found
}

/** GET, a page at a time; the cursor is the last host name of the page before. */
export function listCertificates(world: World, call: Call): Answer {
  const app = appOf(world, call)
  const view = viewOf(world, call)
  const filter = (call.query.get('filter') ?? '').toLowerCase()
  const cursor = Buffer.from(call.query.get('cursor') ?? '', 'base64url').toString()
  const all = ofApp(world, app).filter((one) => one.hostname.includes(filter) && view.knows(one))
  const limit = numberOf(call, 'limit', 25, 500)
  const rest = all.filter((certificate) => certificate.hostname > cursor)
  const page = rest.slice(0, limit)
  const last = page.at(-1)?.hostname ?? ''
  const next = rest.length > page.length ? Buffer.from(last).toString('base64url') : ''
  return ok({ certificates: page.map(summaryWire), next_cursor: next, total_count: all.length })
}

function checkHostname(text: string): string {
  const hostname = text.toLowerCase()
  const labels = hostname.replace(/^\*\./, '').split('.')
  if (hostname.length > 253 || !labels.every((each) => label.test(each)) || (labels.length < 2 && !isLocal(hostname)))
    throw unprocessable(`Hostname "${text}" is not valid`)
  return hostname
}

function create(world: World, call: Call, hostname: string, custom: boolean): Answer {
  const app = appOf(world, call)
  // The code for this is not established; 422 is what clients are told to read as "maybe mine".
  if (ofApp(world, app).some((certificate) => certificate.hostname === hostname))
    throw unprocessable('Hostname already exists on app')
  const now = world.clock.now()
  const record: CertificateRecord = {
    id: ulid(bytesOf(world), now),
    app: app.id,
    hostname,
    acme: !custom,
    custom,
    createdAt: now,
    updatedAt: now,
    activeAt: now + world.latency.draw('certificate'),
    issuedAt: undefined,
    rateLimitedUntil: undefined,
    deletedAt: undefined,
  }
  const limited = limitedUntil(world, record, now)
  const known = { ...record, rateLimitedUntil: limited }
  world.store.save({ kind: 'certificate', record: known })
  return { status: 201, body: certificateWire(world, known) }
}

/** POST acme: pending until it is validated, which happens by itself. */
export const requestAcme = (world: World, call: Call): Answer =>
  create(world, call, checkHostname(bodyOf(call, acmeRequest).hostname), false)

/** POST custom: the chain and the key are looked at for being there, and not kept. */
export const addCustom = (world: World, call: Call): Answer =>
  create(world, call, checkHostname(bodyOf(call, customRequest).hostname), true)

/** GET one. */
export const getCertificate = (world: World, call: Call): Answer =>
  ok(certificateWire(world, certificateOf(world, call)))

/** POST check: validates again now, without waiting for its turn. */
export function checkCertificate(world: World, call: Call): Answer {
  const found = certificateOf(world, call)
  const checked = refresh(world, { ...found, activeAt: Math.min(found.activeAt, world.clock.now()) })
  return ok({ ...certificateWire(world, checked), dns_records: dnsRecords(world, checked) })
}

const remove = (world: World, certificate: CertificateRecord): CertificateRecord => {
  const now = world.clock.now()
  const record = { ...certificate, deletedAt: now, updatedAt: now }
  world.store.save({ kind: 'certificate', record })
  return record
}

/** DELETE: it is gone for callers, and still counts against the weekly limits. */
export function deleteCertificate(world: World, call: Call): Answer {
  remove(world, certificateOf(world, call))
  return { status: 204 }
}

const deletePart =
  (part: 'acme' | 'custom') =>
  (world: World, call: Call): Answer => {
    const certificate = certificateOf(world, call)
    if (!certificate[part]) throw notFound(`${part} certificate`)
    const body = certificateWire(world, remove(world, certificate))
    const warning = 'The hostname has no certificate any more.'
    return ok(part === 'custom' ? { ...body, warning } : body)
  }

/** DELETE the ACME part. */
export const deleteAcme = deletePart('acme')
/** DELETE the custom part. */
export const deleteCustom = deletePart('custom')
