// Every scenario of a group is a test of its own, titled by its file. UPDATE_SCENARIOS=1 writes the traces anew for review.
import test from 'ava'
import { play, problemsIn, scenariosIn, writeTraces, type ScenarioFile } from './files.ts'
import { openTheatre, type Theatre } from './stage/worlds.ts'

const isUpdate = process.env['UPDATE_SCENARIOS'] === '1'

/** A known defect is a test that has to fail, so that its mending is noticed. */
const declare = ({ scenario }: ScenarioFile) => (scenario.defect === undefined ? test.serial : test.serial.failing)

/** Declares the tests of some groups. They share a process and its event loop, so they run one after the other. */
export function testScenarios(...groups: readonly string[]): void {
  let theatre: Theatre
  test.before(async () => {
    theatre = await openTheatre()
  })
  test.after.always(() => theatre.close())
  for (const file of groups.flatMap(scenariosIn))
    declare(file)(file.path, async (t) => {
      const result = await play(file, theatre, (sentence) => t.log(sentence))
      if (isUpdate && file.scenario.defect === undefined) await writeTraces(file, result)
      const problems = isUpdate ? result.phases.flatMap(({ problems: found }) => found) : problemsIn(file, result)
      if (problems.length === 0) t.pass()
      else t.fail(problems.join('\n'))
    })
}
