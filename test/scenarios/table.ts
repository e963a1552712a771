// The table of scenarios with their results: `npm run scenarios`, or with parts of paths to run those only.
import { scenariosIn, groups, play, problemsIn, type ScenarioFile } from './files.ts'
import type { ScenarioResult } from './run.ts'
import { openTheatre } from './stage/worlds.ts'

interface Row {
  readonly path: string
  readonly steps: number
  readonly changes: number
  readonly reads: number
  readonly virtual: string
  readonly result: string
  readonly problems: readonly string[]
}

const say = (text: string): void => void process.stdout.write(`${text}\n`)

/** Hours and minutes of virtual time. */
function spoken(ms: number): string {
  const minutes = Math.round(ms / 60_000)
  if (minutes < 60) return `${minutes} min`
  const hours = Math.round(minutes / 60)
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} d`
}

const sum = (counts: Iterable<number>): number => [...counts].reduce((all, one) => all + one, 0)

/** `createVolume ×3` is three lines, of which those that failed are steps too. */
function stepsIn(trace: readonly string[]): number {
  return sum(trace.filter((line) => !line.includes('stalled')).map((line) => Number(/ ×(\d+)$/.exec(line)?.[1] ?? 1)))
}

function rowOf(file: ScenarioFile, result: ScenarioResult): Row {
  const { phases, virtualMs } = result
  const problems = problemsIn(file, result)
  const known = file.scenario.defect !== undefined
  const word = problems.length === 0 ? (known ? 'mended: take the mark away' : 'ok') : known ? 'known defect' : 'FAILED'
  return {
    path: file.path,
    steps: sum(phases.map(({ trace }) => stepsIn(trace))),
    changes: sum(phases.flatMap(({ changes }) => Object.values(changes))),
    reads: sum(phases.map(({ reads }) => reads)),
    virtual: spoken(virtualMs),
    result: word,
    problems: known ? [] : problems,
  }
}

function line({ path, steps, changes, reads, virtual, result }: Row): string {
  const number = (count: number) => String(count).padStart(7)
  return `${path.padEnd(46)}${number(steps)}${number(changes)}${number(reads)}${virtual.padStart(9)}  ${result}`
}

const wanted = process.argv.slice(2)
const files = groups
  .flatMap(scenariosIn)
  .filter(({ path }) => wanted.length === 0 || wanted.some((part) => path.includes(part)))
const theatre = await openTheatre()
const began = performance.now()
say(`${'scenario'.padEnd(46)}  steps  calls  reads     time  result`)
const rows: Row[] = []
for (const file of files) {
  const row = rowOf(file, await play(file, theatre, say))
  rows.push(row)
  say(line(row))
  for (const problem of row.problems) say(`    ${problem}`)
}
await theatre.close()
const failed = rows.filter(({ problems }) => problems.length > 0).length
const calls = sum(rows.map(({ changes }) => changes))
say(
  `${rows.length} scenarios, ${failed} failed, ${calls} changing calls, ${((performance.now() - began) / 1000).toFixed(0)} s`,
)
if (failed > 0) process.exitCode = 1
