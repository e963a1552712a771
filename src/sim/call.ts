// One call of the API as handlers see it, and what they answer.
import type { IncomingHttpHeaders } from 'node:http'
import * as z from 'zod'
import { invalid, notFound } from './errors.ts'
import { parse } from './machine-config.ts'
import type { AppRecord, MachineRecord } from './state.ts'
import type { World } from './world.ts'

/** A call after routing. */
export interface Call {
  readonly action: string
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  /** The parsed JSON body; undefined when there was none. */
  readonly body: unknown
  /** Who calls: a digest of the token, never the token. */
  readonly caller: string
}

/** What goes back; without a body the answer is empty. */
export interface Answer {
  readonly status: number
  readonly body?: unknown
  /** Instead of a body, as it is: only a fault answers so. */
  readonly text?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** Handles one action; a Refusal is thrown. */
export type Handler = (world: World, call: Call) => Answer | Promise<Answer>

/** 200 with a body. */
export const ok = (body: unknown): Answer => ({ status: 200, body })
/** 200 with the body that most changes answer. */
export const done = (): Answer => ok({ ok: true })

/** The body by a schema; no body counts as an empty object. */
export const bodyOf = <Schema extends z.ZodType>(call: Call, schema: Schema): z.infer<Schema> =>
  parse(schema, call.body ?? {}, 'body')

/** The app in the path. */
export function appOf(world: World, call: Call): AppRecord {
  const app = world.store.get('app', call.params['app'] ?? '')
  if (app === undefined) throw notFound('app')
  return app
}

/** The machine in the path, a destroyed one too: Fly answers a GET by id for those. */
export function machineOf(world: World, call: Call): MachineRecord {
  const app = appOf(world, call)
  const machine = world.store.get('machine', call.params['machine'] ?? '')
  if (machine?.app !== app.id) throw notFound('machine')
  return machine
}

/** The machine in the path, unless it is destroyed. */
export function liveMachineOf(world: World, call: Call): MachineRecord {
  const machine = machineOf(world, call)
  if (machine.state === 'destroyed') throw notFound('machine')
  return machine
}

/** A query flag: `true`, `1` or just its name. */
export function flag(call: Call, name: string): boolean {
  const value = call.query.get(name)
  return value === 'true' || value === '1' || value === ''
}

/** A whole number from the query within bounds; anything else is refused. */
export function numberOf(call: Call, name: string, usual: number, most: number): number {
  const text = call.query.get(name)
  if (text === null) return usual
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw invalid(`${name}: "${text}" is not a positive whole number`)
  return Math.min(value, most)
}

/** A comma list, or the same name repeated. */
export const listOf = (call: Call, name: string): string[] =>
  call.query
    .getAll(name)
    .flatMap((text) => text.split(','))
    .filter((text) => text !== '')
