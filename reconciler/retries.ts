// The memory of failing steps: the last failure, which the conditions tell, and earlier ones of other steps, so that two
// steps that fail in turn do not forget each other's pauses. Pure.
import type { Retry, TenantStatus } from '../specs/tenant.ts'

type Memory = Pick<TenantStatus, 'retry' | 'alsoFailing'>

/** What is remembered of a step. */
export function retryOf({ retry, alsoFailing = [] }: Memory, step: string): Retry | undefined {
  return [retry, ...alsoFailing].find((known) => known?.step === step)
}

/** The memory after another failure. */
export function remembered({ retry: last, alsoFailing = [] }: Memory, retry: Retry): Memory {
  const others = [...alsoFailing, last].filter((known) => known !== undefined && known.step !== retry.step)
  return { retry, alsoFailing: others.length === 0 ? undefined : others.filter((known) => known !== undefined) }
}

/** The memory after a step went through, or of what is left of it for a newer wish. */
export function forgotten({ retry, alsoFailing }: Memory, gone: (retry: Retry) => boolean): Memory {
  const others = alsoFailing?.filter((known) => !gone(known)) ?? []
  const last = retry === undefined || gone(retry) ? others.pop() : retry
  return { retry: last, alsoFailing: others.length === 0 ? undefined : others }
}
