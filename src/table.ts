// Columns as wide as their widest cell: how a list is printed for people, by the server and by the command line. Pure.

/** A column: its title and what it shows of an item. */
export type Column<T = unknown> = readonly [title: string, of: (item: T) => string]

/** Two spaces apart, titles in the first line. */
export function table<T>(items: readonly T[], columns: readonly Column<T>[]): string {
  const rows = [columns.map(([title]) => title), ...items.map((item) => columns.map(([, of]) => of(item)))]
  const widths = columns.map((_, at) => rows.reduce((most, row) => Math.max(most, row[at]?.length ?? 0), 0))
  return rows
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const

/** How long ago, in the largest unit that fits: `3d`, `5h`. */
export function age(since: number, now: number): string {
  const [name, size] = units.find(([, one]) => now - since >= one) ?? ['s', 1_000]
  return `${Math.max(0, Math.floor((now - since) / size))}${name}`
}
