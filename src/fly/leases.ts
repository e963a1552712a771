// The calls about a machine's lease: who holds it may update, start, stop, suspend and destroy; others get 409.
import type { CallOptions, LeaseRequest } from './requests.ts'
import { nothing, type Send } from './call.ts'
import * as wire from './wire.ts'

export interface LeaseCalls {
  /** Takes the lease, or extends the one whose nonce is given. Held by another: a Fault of kind leased. */
  leaseAcquire(app: string, id: string, request: LeaseRequest, options?: CallOptions): Promise<wire.Lease>
  leaseRelease(app: string, id: string, nonce: string, options?: CallOptions): Promise<void>
}

export function leaseCalls(send: Send): LeaseCalls {
  const at = (call: string, app: string, id: string) => ({
    call,
    identifier: id,
    path: ['apps', app, 'machines', id, 'lease'],
  })
  return {
    leaseAcquire: (app, id, { nonce, ...body }, options) =>
      send({ ...at('leaseAcquire', app, id), method: 'POST', body, nonce, answer: wire.lease }, options),
    leaseRelease: (app, id, nonce, options) =>
      send({ ...at('leaseRelease', app, id), method: 'DELETE', nonce, answer: nothing }, options),
  }
}
