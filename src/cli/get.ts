// `moor get`: lists in the columns of the server, one thing of a list, and watching it.
import { stringify } from 'yaml'
import type { Clock } from '../../specs/clock.ts'
import type { RowsView, RowView } from '../api/print.ts'
import { table } from '../table.ts'
import type { Lists } from './answers.ts'
import { type Api, type Asked, RequestError } from './client.ts'
import { type Format, shown } from './output.ts'
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

const isChange = (type: string) => ['ADDED', 'MODIFIED', 'DELETED'].includes(type)

/** Columns that move by themselves. */
const moving = new Set(['AGE', 'LAST'])

/**
 * Prints rows as they come. What is there at first is aligned as one table, later lines as far as their columns are known;
 * a line that says the same as the last one of its name, but for the time, is left out.
 */
export class RowPrinter {
  readonly #print: (line: string) => void
  readonly #says: boolean
  readonly #last = new Map<string, string>()
  /** What is there at first, until all of it has come. */
  readonly #first: (readonly [type: string, row: RowView])[] = []
  #isWhole = false
  #hasTitles = false
  #widths: number[] = []

  constructor({ print, says }: Pick<WatchOptions, 'print' | 'says'>) {
    this.#print = print
    this.#says = says
  }

  take({ type, data }: StreamEvent): void {
    if (type === 'BOOKMARK') this.#whole()
    if (!isChange(type)) return
    const row = data as RowView
    const what = JSON.stringify(row.cells.filter((_, at) => !moving.has(row.columns[at] ?? '')))
    if (type !== 'DELETED' && this.#last.get(row.name) === what) return
    if (type === 'DELETED') this.#last.delete(row.name)
    else this.#last.set(row.name, what)
    if (this.#isWhole) this.#lines([[type, row]])
    else this.#first.push([type, row])
  }

  #whole(): void {
    if (!this.#isWhole) this.#lines(this.#first)
    this.#isWhole = true
  }

  #lines(rows: readonly (readonly [type: string, row: RowView])[]): void {
    const [first] = rows
    if (first === undefined) return
    const cells = rows.map(([type, row]) => (this.#says ? [type, ...row.cells] : row.cells))
    const { columns } = first[1]
    const titles = this.#hasTitles ? [] : [this.#says ? ['EVENT', ...columns] : columns]
    this.#hasTitles = true
    const all = [...titles, ...cells]
    for (const line of all) this.#widths = line.map((cell, at) => Math.max(cell.length, this.#widths[at] ?? 0))
    for (const line of all) this.#print(this.#padded(line))
  }

  #padded(cells: readonly string[]): string {
    return cells
      .map((cell, at) => cell.padEnd(this.#widths[at] ?? 0))
      .join('  ')
      .trimEnd()
  }
}

/** Prints each change until the signal: a line in the server's columns, JSON a line, or a YAML document. */
export async function watch(api: Api, got: Got, format: Format, options: WatchOptions): Promise<void> {
  const { print, says, ...rest } = options
  if (got.kind !== 'tenants' && got.kind !== 'events')
    throw new RequestError(`${got.kind} cannot be watched: only tenants and events can.`)
  const { path, asked } = placeOf(got)
  const rows = new RowPrinter(options)
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
