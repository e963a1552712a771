// What a pass tells of its course, for traces. A port: with nobody who listens it only runs the work.
import type { Instant } from '../specs/clock.ts'
import { findCondition } from '../specs/conditions.ts'
import type { Tenant } from '../specs/tenant.ts'

export type SpanValues = Readonly<Record<string, string | number | boolean | undefined>>

export interface SpanNote {
  set(values: SpanValues): void
  /** It did not succeed; work that throws has said so already. */
  failed(reason: string): void
}

export interface Spans {
  /** A pass for a tenant; `parent` is the traceparent of the request that it follows from. */
  pass<T>(tenant: Tenant, parent: string | undefined, work: () => Promise<T>): Promise<T>
  /** A part of what is under way; nothing is told where that is no part of a trace. */
  span<T>(name: string, values: SpanValues, work: (note: SpanNote) => Promise<T>): Promise<T>
}

const deaf: SpanNote = { set: () => {}, failed: () => {} }

/** Tells nobody. */
export const noSpans: Spans = {
  pass: (_tenant, _parent, work) => work(),
  span: (_name, _values, work) => work(deaf),
}

/** A tenant that cannot be made as wanted is tried for ever; its trace is not. */
const longestMs = 3_600_000

/** The request that this pass follows from: the last that changed the wish, until the tenant is as wanted. */
export function traceOf({ trace, status, generation }: Tenant, now: Instant): string | undefined {
  if (trace === undefined || now - trace.at > longestMs) return undefined
  const fresh = status.observedGeneration < generation
  return fresh || findCondition(status.conditions, 'Reconciling') !== undefined ? trace.parent : undefined
}
