// The calls about a machine's metadata: changed without a restart and without a new version.
import type { CallOptions } from './requests.ts'
import { nothing, type Send } from './call.ts'
import * as wire from './wire.ts'

export interface MetadataCalls {
  machineMetadataGet(app: string, id: string, options?: CallOptions): Promise<Readonly<Record<string, string>>>
  machineMetadataSet(app: string, id: string, key: string, value: string, options?: CallOptions): Promise<void>
  machineMetadataDelete(app: string, id: string, key: string, options?: CallOptions): Promise<void>
  /** Several keys at once; an undefined value removes the key. With `version`, 412 (raced) when the machine moved on. */
  machineMetadataPatch(app: string, id: string, patch: MetadataPatch, options?: CallOptions): Promise<void>
}

export interface MetadataPatch {
  readonly values: Readonly<Record<string, string | undefined>>
  /** The instance id that the caller saw. */
  readonly version?: string | undefined
}

/** Leases do not guard metadata, so none of these takes a nonce. */
export function metadataCalls(send: Send): MetadataCalls {
  const at = (call: string, app: string, id: string, ...key: readonly string[]) => ({
    call,
    identifier: id,
    path: ['apps', app, 'machines', id, 'metadata', ...key],
  })
  return {
    machineMetadataGet: (app, id, options) =>
      send({ ...at('machineMetadataGet', app, id), method: 'GET', answer: wire.metadata }, options),
    machineMetadataSet: (app, id, key, value, options) =>
      send({ ...at('machineMetadataSet', app, id, key), method: 'POST', body: { value }, answer: nothing }, options),
    machineMetadataDelete: (app, id, key, options) =>
      send({ ...at('machineMetadataDelete', app, id, key), method: 'DELETE', answer: nothing }, options),
    machineMetadataPatch: (app, id, { values, version }, options) => {
      const metadata = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, value ?? null]))
      const body = { metadata, machine_version: version }
      return send({ ...at('machineMetadataPatch', app, id), method: 'PATCH', body, answer: nothing }, options)
    },
  }
}
