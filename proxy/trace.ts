// The trace that a request belongs to (W3C Trace Context, level 1): passed on as it came, or begun here. Pure.

const form = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

/** The trace's id; undefined where the header is missing or is none that may be passed on. */
export function traceIdOf(traceparent: string | readonly string[] | undefined): string | undefined {
  return typeof traceparent === 'string' ? form.exec(traceparent)?.[1] : undefined
}

/** A trace that begins with this request, whose id (32 hex digits) it takes. The flags say that nobody has recorded it. */
export function traceparentFor(requestId: string): string {
  return `00-${requestId}-${requestId.slice(0, 16)}-00`
}
