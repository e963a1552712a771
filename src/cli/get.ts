// `moor get`: lists in the columns of the server, one thing of a list, and watching it.
import { stringify } from 'yaml'
import type { Clock } from '../../specs/clock.ts'
import type { RowsView } from '../api/print.ts'
import { table } from '../table.ts'
import type { Lists } from './answers.ts'
import { type Api, type Asked, RequestError } from './client.ts'
import { type Format, shown } from './output.ts'
import { isChange, RowPrinter } from './row-printer.ts'
import { follow, type StreamEvent } from './stream.ts'

export const kinds = ['tenants', 'events', 'pools', 'classes'] as const
export type Kind = (typeof kinds)[number]

export interface Selected {
  readonly selector?: string
  readonly fieldSelector?: string
}

export interface Got {
  readonly kind: Kind
  /** One of them; of events, whose. */
  readonly name?: string | undefined
  readonly selected?: Selected
}

interface Place {
  readonly path: keyof Lists
  readonly asked: Asked
}

function placeOf({ kind, name, selected: { selector, fieldSelector } = {} }: Got): Place {
  if (kind === 'events') {
    if (selector !== undefined || fieldSelector !== undefined)
      throw new RequestError('Events have no labels and fields to select by: give the name of a tenant.')
    return name === undefined
      ? { path: '/v1/events', asked: {} }
      : { path: '/v1/tenants/{name}/events', asked: { params: { name } } }
  }
  const named = name === undefined ? [] : [`name=${name}`]
  const fields = [...(fieldSelector === undefined ? [] : [fieldSelector]), ...named].join(',')
  // Of classes there are few, and no selectors.
  const query = kind === 'classes' ? {} : { fieldSelector: fields === '' ? undefined : fields, labelSelector: selector }
  return { path: `/v1/${kind}`, asked: { query } }
}

/** `acme` is the tenant acme, `pools warm` the pool warm. */
export function readGot(what: string, name: string | undefined): Got {
  const kind = kinds.find((one) => one === what)
  if (kind !== undefined) return { kind, name }
  if (name !== undefined) throw new RequestError(`There is nothing like "${what}": one of ${kinds.join(', ')}.`)
  return { kind: 'tenants', name: what }
}

const one = {
  tenants: '/v1/tenants/{name}',
  pools: '/v1/pools/{name}',
  classes: '/v1/classes/{name}',
} as const

const asTable = ({ columns, rows }: RowsView) =>
  table(
    rows,
    columns.map((title, at) => [title, ({ cells }) => cells[at] ?? ''] as const),
  )

async function listed(api: Api, got: Got, format: Format): Promise<string> {
  const { path, asked } = placeOf(got)
  // Of what has no end the newest page.
  const isEndless = got.kind === 'events'
  if (format !== 'table') {
    const items = isEndless ? (await api.get(path, asked)).body.items : await api.all(path, asked)
    return shown(format, { items }, () => '')
  }
  const found = await api.rows(path, asked, isEndless ? 'first' : 'all')
  return found.rows.length === 0 ? `There are no ${got.kind}.` : asTable(found)
}

/** One thing, or all that are selected. Throws where the one is not there. */
export async function get(api: Api, got: Got, format: Format): Promise<string> {
  const { kind, name } = got
  if (kind === 'events' || name === undefined) return listed(api, got, format)
  const { body } = await api.get(one[kind], { params: { name } })
  if (format !== 'table') return shown(format, body, () => '')
  const { path, asked } = placeOf(got)
  const { columns, rows } = await api.rows(path, asked)
  return asTable({ columns, rows: rows.filter((row) => row.name === name) })
}

export interface WatchOptions {
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly print: (line: string) => void
  readonly note: (line: string) => void
  /** Whether each line says what it is: ADDED, MODIFIED, DELETED. */
  readonly says: boolean
}

/** Prints each change until the signal: a line in the server's columns, JSON a line, or a YAML document. */
export async function watch(api: Api, got: Got, format: Format, options: WatchOptions): Promise<void> {
  const { print, says, ...rest } = options
  if (got.kind !== 'tenants' && got.kind !== 'events')
    throw new RequestError(`${got.kind} cannot be watched: only tenants and events can.`)
  const { path, asked } = placeOf(got)
  const rows = new RowPrinter({ print, says, complete: got.kind === 'tenants' })
  const take = (event: StreamEvent) => {
    if (format === 'table') {
      rows.take(event)
      return
    }
    if (!isChange(event.type)) return
    const value = says ? { type: event.type, object: event.data } : event.data
    print(format === 'json' ? JSON.stringify(value) : `---\n${stringify(value).trimEnd()}`)
  }
  const output = format === 'table' ? 'rows' : undefined
  await follow({ ...rest, api, path, asked: { ...asked, query: { ...asked.query, output } }, take })
}
