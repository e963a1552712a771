// The Fly Machines API as functions. Each call waits its turn, happens once, and succeeds or throws a Fault.
import { appCalls, type AppCalls } from './apps.ts'
import { certificateCalls, type CertificateCalls } from './certificates.ts'
import { leaseCalls, type LeaseCalls } from './leases.ts'
import { machineCalls, type MachineCalls } from './machines.ts'
import { metadataCalls, type MetadataCalls } from './metadata.ts'
import { flyTransport, type FlyClientOptions } from './transport.ts'
import { volumeCalls, type VolumeCalls } from './volumes.ts'

export type { CallRecord, FlyClientOptions } from './transport.ts'

export interface FlyClient extends AppCalls, MachineCalls, MetadataCalls, LeaseCalls, VolumeCalls, CertificateCalls {}

/** Throws a TypeError when the base URL or the token cannot be used; it does not repeat the token. */
export function flyClient(options: FlyClientOptions): FlyClient {
  const send = flyTransport(options)
  return {
    ...appCalls(send),
    ...machineCalls(send),
    ...metadataCalls(send),
    ...leaseCalls(send),
    ...volumeCalls(send),
    ...certificateCalls(send),
  }
}
