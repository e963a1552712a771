// Rows of a watched list, printed as they come.
import type { RowView } from '../api/print.ts'
import type { StreamEvent } from './stream.ts'

export const isChange = (type: string) => ['ADDED', 'MODIFIED', 'DELETED'].includes(type)

/** Columns that move by themselves. */
const moving = new Set(['AGE', 'LAST'])

export interface PrinterOptions {
  readonly print: (line: string) => void
  /** Whether each line says what it is: ADDED, MODIFIED, DELETED. */
  readonly says: boolean
  /** Whether what is not told again is gone; of what has no end, it may only be old. */
  readonly complete: boolean
}

/** Of what has no end, so many are remembered. */
const mostRemembered = 5_000

const visible = ({ columns, cells }: RowView) => JSON.stringify(cells.filter((_, at) => !moving.has(columns[at] ?? '')))

/**
 * Prints rows as they come. What is there at first is aligned as one table, later lines as far as their columns are known;
 * a line that says the same as the last one of its name, but for the time, is left out. When all is told again, what has
 * changed meanwhile is printed.
 */
export class RowPrinter {
  readonly #options: PrinterOptions
  readonly #last = new Map<string, RowView>()
  /** What is there at first, until all of it has come. */
  readonly #first: (readonly [type: string, row: RowView])[] = []
  /** What has not been told again yet. */
  #missing = new Map<string, RowView>()
  #isWhole = false
  #hasTitles = false
  #widths: number[] = []

  constructor(options: PrinterOptions) {
    this.#options = options
  }

  take({ type, data }: StreamEvent): void {
    if (type === 'BOOKMARK') this.#whole()
    if (type === 'RELIST' && this.#options.complete) this.#missing = new Map(this.#last)
    if (isChange(type)) this.#change(type, data as RowView)
  }

  #change(type: string, row: RowView): void {
    const before = this.#last.get(row.name)
    this.#missing.delete(row.name)
    if (type === 'DELETED') this.#last.delete(row.name)
    else {
      if (before !== undefined && visible(before) === visible(row)) return
      this.#remember(row)
    }
    const what = type === 'ADDED' && before !== undefined ? 'MODIFIED' : type
    if (this.#isWhole) this.#lines([[what, row]])
    else this.#first.push([what, row])
  }

  #remember(row: RowView): void {
    this.#last.set(row.name, row)
    const [oldest] = this.#last.keys()
    if (!this.#options.complete && this.#last.size > mostRemembered && oldest !== undefined) this.#last.delete(oldest)
  }

  #whole(): void {
    if (!this.#isWhole) this.#lines(this.#first)
    this.#isWhole = true
    for (const row of this.#missing.values()) this.#change('DELETED', row)
  }

  #lines(rows: readonly (readonly [type: string, row: RowView])[]): void {
    const [first] = rows
    if (first === undefined) return
    const { says, print } = this.#options
    const cells = rows.map(([type, row]) => (says ? [type, ...row.cells] : row.cells))
    const { columns } = first[1]
    const titles = this.#hasTitles ? [] : [says ? ['EVENT', ...columns] : columns]
    this.#hasTitles = true
    const all = [...titles, ...cells]
    for (const line of all) this.#widths = line.map((cell, at) => Math.max(cell.length, this.#widths[at] ?? 0))
    for (const line of all) print(this.#padded(line))
  }

  #padded(cells: readonly string[]): string {
    return cells
      .map((cell, at) => cell.padEnd(this.#widths[at] ?? 0))
      .join('  ')
      .trimEnd()
  }
}
