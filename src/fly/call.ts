// One call to Fly as data: what the functions for the endpoints write and the transport performs.
import { z } from 'zod'
import type { CallOptions } from './requests.ts'

/** How much time a call gets: the client's usual, twice the usual, or so many seconds of Fly's plus a margin. */
export type TimeLimit = 'usual' | 'create' | { readonly flySeconds: number }

export interface FlyCall<Schema extends z.ZodType> {
  /** In the words of the client, such as `machineCreate`: also the action that the rate limit counts. */
  readonly call: string
  /** The machine, or the app, that the rate limit counts by. */
  readonly identifier: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** The segments below `/v1`, not encoded yet. */
  readonly path: readonly string[]
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>> | undefined
  readonly body?: object | undefined
  /** Of the lease that the caller holds. */
  readonly nonce?: string | undefined
  readonly timeLimit?: TimeLimit
  /** `nothing` where nobody reads the answer. */
  readonly answer: Schema
  /** Fly's words, when a success says that it is none. */
  readonly failed?: (answer: z.infer<Schema>) => string | undefined
}

/** Performs one call. Throws a Fault, or the signal's reason when the caller gives up. */
export type Send = <Schema extends z.ZodType>(call: FlyCall<Schema>, options?: CallOptions) => Promise<z.infer<Schema>>

/** The answer of a call whose body nobody reads. */
export const nothing = z.void()

/** A path of encoded segments. An empty one would name another endpoint: a TypeError. */
export function pathOf(segments: readonly string[]): string {
  return segments
    .map((segment) => {
      if (segment === '' || segment === '.' || segment === '..')
        throw new TypeError(`"${segment}" cannot be part of a Fly path`)
      // Fly wants the star of a wildcard certificate encoded as well.
      return `/${encodeURIComponent(segment).replaceAll('*', '%2A')}`
    })
    .join('')
}
