// The tenant's spec in its machine's metadata, so that a lost database can be rebuilt from the fleet alone. The
// configuration overlay is left out: the machine's environment has the whole configuration already.
import { z } from 'zod'
import { labels as labelsField } from './fields.ts'
import { tenantSpec, type TenantSpec } from './tenant.ts'

/** Everything else of the spec is dropped. */
const kept = z.object(tenantSpec.omit({ state: true, config: true, paused: true }).shape)
const recorded = z.strictObject({ labels: labelsField.default({}), spec: kept })

export interface TenantRecordText {
  readonly labels: Readonly<Record<string, string>>
  readonly spec: Omit<TenantSpec, 'state' | 'config' | 'paused'>
}

/** What Fly allows for one value is not documented; labels are given up before the spec is. */
const longest = 4096

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** The record as a metadata value. What is wanted of the machine's power is not in it: the machine itself shows that. */
export function recordText(labels: TenantRecordText['labels'], spec: TenantSpec): string {
  const rest = kept.parse(spec)
  const whole = encode({ labels, spec: rest })
  return whole.length <= longest ? whole : encode({ spec: rest })
}

/** Reads a record back; undefined where it is none. */
export function readRecord(text: string): TenantRecordText | undefined {
  try {
    const result = recorded.safeParse(JSON.parse(Buffer.from(text, 'base64url').toString()))
    return result.success ? result.data : undefined
  } catch {
    return undefined // Not JSON: somebody else's value, or one cut short.
  }
}
