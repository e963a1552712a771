// Scenario files: read, played, compared, and their traces written anew.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { format, resolveConfig } from 'prettier'
import { parseDocument } from 'yaml'
import { parseYaml } from '../../specs/parse.ts'
import { hash } from '../../src/sim/latency.ts'
import { runScenario, type ScenarioResult } from './run.ts'
import type { Theatre } from './stage/worlds.ts'
import { scenarioFile, type Scenario } from './stage/schema.ts'

const folder = import.meta.dirname

export interface ScenarioFile {
  /** Below test/scenarios. */
  readonly path: string
  readonly scenario: Scenario
}

export const groups = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== 'stage')
  .map(({ name }) => name)

export function readScenario(path: string): ScenarioFile {
  const parsed = parseYaml(readFileSync(join(folder, path), 'utf8'), scenarioFile)
  if (parsed.ok) return { path, scenario: parsed.value }
  const problems = parsed.problems.map(
    ({ path: at, message, line, column }) => `${path}:${line ?? 1}:${column ?? 1} ${at} ${message}`,
  )
  throw new Error(problems.join('\n'))
}

/** The scenarios of a group, in the order of their names. */
export function scenariosIn(group: string): ScenarioFile[] {
  return readdirSync(join(folder, group))
    .filter((file) => file.endsWith('.yaml'))
    .sort()
    .map((file) => readScenario(`${group}/${file}`))
}

/** Runs a scenario; its path is its seed, so that adding another changes nothing here. */
export const play = ({ path, scenario }: ScenarioFile, theatre: Theatre, log: (sentence: string) => void) =>
  runScenario(scenario, theatre, { seed: hash(path), log })

/** Writes what was done in place of what was expected; the rest of the file stays as it is. */
export async function writeTraces({ path, scenario }: ScenarioFile, { phases }: ScenarioResult): Promise<void> {
  if (scenario.untraced !== undefined) return
  const file = join(folder, path)
  const document = parseDocument(readFileSync(file, 'utf8'))
  for (const [index, { trace }] of phases.entries()) {
    if (!document.hasIn(['phases', index, 'expect'])) continue
    document.setIn(['phases', index, 'expect', 'trace'], document.createNode([...trace]))
  }
  const options = await resolveConfig(file)
  writeFileSync(file, await format(document.toString({ lineWidth: 0 }), { ...options, parser: 'yaml' }))
}

/** The standing of so many tenants is shown below the problems. */
const mostShown = 3

/** Each phase's problems, its trace among them. */
export function problemsIn({ scenario }: ScenarioFile, { phases }: ScenarioResult): string[] {
  return phases.flatMap(({ trace, problems, standing }, index) => {
    const wanted = scenario.phases[index]?.expect
    const differs =
      scenario.untraced === undefined && wanted !== undefined && (wanted.trace ?? []).join('\n') !== trace.join('\n')
    const all = differs ? [`the trace is\n    ${trace.join('\n    ')}`, ...problems] : problems
    const about = standing.filter(({ name }) => standing.length === 1 || all.some((problem) => problem.includes(name)))
    const words = about.slice(0, mostShown).map(({ text }) => text)
    return all.length === 0 ? [] : [...all.map((problem) => `phase ${index + 1}: ${problem}`), ...words]
  })
}
