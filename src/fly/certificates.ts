// The calls about certificates: one function for each endpoint, and the list with all its pages.
import { Fault } from '../../specs/faults.ts'
import type { CallOptions } from './requests.ts'
import { nothing, type Send } from './call.ts'
import * as wire from './wire.ts'

export interface CertificateCalls {
  /** Every certificate of the app: as many calls as there are pages of 500. */
  certificateList(app: string, options?: CallOptions): Promise<readonly wire.CertificateSummary[]>
  certificateGet(app: string, host: string, options?: CallOptions): Promise<wire.Certificate>
  /** Asks Fly for an ACME certificate. What a host that has one is answered is not documented: read it back. */
  certificateRequest(app: string, host: string, options?: CallOptions): Promise<wire.Certificate>
  /** Makes Fly look at the DNS again, now. */
  certificateCheck(app: string, host: string, options?: CallOptions): Promise<wire.Certificate>
  certificateDelete(app: string, host: string, options?: CallOptions): Promise<void>
}

const pageSize = 500

/** Limits are counted by app: Fly's documents name none for certificates, so its general ones are assumed. */
const at = (call: string, app: string, ...below: readonly string[]) => ({
  call,
  identifier: app,
  path: ['apps', app, 'certificates', ...below],
})

async function allPages(send: Send, app: string, options: CallOptions | undefined) {
  const found: wire.CertificateSummary[] = []
  const seen = new Set<string>()
  let cursor: string | undefined
  do {
    const query = { limit: pageSize, cursor }
    const answer = wire.certificatePage
    const page = await send({ ...at('certificateList', app), method: 'GET', query, answer }, options)
    found.push(...page.certificates)
    cursor = page.next_cursor === '' ? undefined : page.next_cursor
    if (cursor !== undefined && seen.has(cursor))
      throw new Fault('unavailable', 'Fly answered certificateList with pages that lead in a circle', {
        call: 'certificateList',
      })
    if (cursor !== undefined) seen.add(cursor)
  } while (cursor !== undefined)
  return found
}

export function certificateCalls(send: Send): CertificateCalls {
  const answer = wire.certificate
  return {
    certificateList: (app, options) => allPages(send, app, options),
    certificateGet: (app, host, options) =>
      send({ ...at('certificateGet', app, host), method: 'GET', answer }, options),
    certificateRequest: (app, hostname, options) =>
      send({ ...at('certificateRequest', app, 'acme'), method: 'POST', body: { hostname }, answer }, options),
    certificateCheck: (app, host, options) =>
      send({ ...at('certificateCheck', app, host, 'check'), method: 'POST', answer }, options),
    certificateDelete: (app, host, options) =>
      send({ ...at('certificateDelete', app, host), method: 'DELETE', answer: nothing }, options),
  }
}
