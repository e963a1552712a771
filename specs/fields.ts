// The small field types that tenants, classes and pools share.
import { z } from 'zod'

/** A DNS label: it becomes the tenant's host name, so it obeys the host name's rules (RFC 1123). */
export const dnsLabel = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'must be a DNS label: a-z, 0-9 and inner dashes, 1 to 63 characters')

export const hostName = z
  .string()
  .max(253)
  .regex(
    /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/,
    'must be a lower-case host name with at least one dot, without a port or a trailing dot',
  )

/** Fly's region codes are three letters (ams, iad, nrt, ...). */
export const region = z.string().regex(/^[a-z]{3}$/, 'must be a three-letter region code such as iad')

export const imageRef = z
  .string()
  .max(512)
  .regex(
    /^[a-z0-9]([a-z0-9._-]*[a-z0-9])?(:\d+)?(\/[a-z0-9]([a-z0-9._-]*[a-z0-9])?)+(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?$/,
    'must be an image reference such as ghcr.io/openclaw/openclaw@sha256:<64 hex digits>',
  )

/** Whether a reference names one content for ever: a tag can be moved to another. */
export function hasDigest(image: string): boolean {
  return image.includes('@sha256:')
}

export const labelText = z.string().regex(/^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/, 'must be a label value')
export const labelKey = z
  .string()
  .regex(/^([a-z0-9.-]{1,253}\/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/, 'must be a label key')

export const labels = z.record(labelKey, labelText)

interface GuestSize {
  readonly cpuKind: 'shared' | 'performance'
  readonly cpus: number
  readonly memoryMb: number
}

/** Memory bounds per CPU in MB, as Fly documents them (machine sizing guide). */
const memoryPerCpu = { shared: { min: 256, max: 2048 }, performance: { min: 2048, max: 8192 } } as const

/** Measured with OpenClaw 2026.9.6: 1.6 GB at its peak without a browser, killed in its first chat turn with 1 GB. */
const leastMemoryMb = 2048

function memoryProblem(guest: GuestSize): string | undefined {
  const { min, max } = memoryPerCpu[guest.cpuKind]
  if (guest.memoryMb < leastMemoryMb)
    return `must be at least ${leastMemoryMb}: OpenClaw needs 1.6 GB at its peak, and with less it is killed in its first chat turn`
  if (guest.memoryMb % 256 !== 0) return 'must be a multiple of 256'
  if (guest.memoryMb < min * guest.cpus || guest.memoryMb > max * guest.cpus)
    return `must be between ${min * guest.cpus} and ${max * guest.cpus} for ${guest.cpus} ${guest.cpuKind} CPU(s)`
  return undefined
}

export const guest = z
  .strictObject({
    cpuKind: z.enum(['shared', 'performance']),
    cpus: z.literal([1, 2, 4, 6, 8, 10, 12, 14, 16]),
    memoryMb: z.int().min(256),
  })
  .superRefine((value, context) => {
    const message = memoryProblem(value)
    if (message !== undefined) context.addIssue({ code: 'custom', path: ['memoryMb'], message })
  })

export const volume = z.strictObject({ sizeGb: z.int().min(1).max(500) })

/** Idle policy: after how many minutes without use a tenant is put to sleep; 0 keeps it awake. */
export const idle = z.strictObject({
  afterMinutes: z.int().min(0).max(43_200),
  /** Also while a channel such as Telegram is live, which then receives nothing; without it such a tenant stays awake. */
  withChannels: z.boolean().optional(),
})

export type Guest = z.infer<typeof guest>
export type IdlePolicy = z.infer<typeof idle>
