// Every row of the fault table has a scenario in which the simulator answers with it, and the tenant says so.
import test from 'ava'
import { faultRows } from '../../src/fly/errors.ts'
import { faultKinds } from '../../src/sim/faults.ts'
import { faultRules } from '../../specs/faults.ts'
import { groups, scenariosIn } from './files.ts'

const files = groups.flatMap(scenariosIn)

/** A row as scenarios name it: its kind, its status, and the word or the first words that it looks for. */
function rowName({ kind, status: [first, last], marker, says }: (typeof faultRows)[number]): string {
  const status = first === last ? String(first) : `${first}-${last}`
  const words = marker ?? /[a-z][a-z ]{2,}/i.exec(says?.source ?? '')?.[0].trim()
  return [kind, status, words].filter((part) => part !== undefined).join(' ')
}

test('every row of the fault table has a scenario', (t) => {
  const names = faultRows.map(rowName)
  t.is(new Set(names).size, names.length, 'two rows have one name')
  const covered = new Set(files.flatMap(({ scenario }) => scenario.covers))
  t.deepEqual([...covered].sort(), [...names].sort())
})

test('a scenario that covers a row meets its fault', (t) => {
  for (const { path, scenario } of files)
    for (const covered of scenario.covers) {
      const row = faultRows.find((one) => rowName(one) === covered)
      const reason = row === undefined ? 'no such row' : faultRules[row.kind].reason
      // What is adopted is no failure of the tenant's.
      if (row?.kind === 'nameTaken' && covered.includes('unique machine name')) continue
      const lines = scenario.phases.flatMap(({ expect }) => expect?.trace ?? [])
      t.true(
        lines.some((line) => line.includes(`✗ ${reason}`)),
        `${path} never meets ${reason}`,
      )
    }
})

test('every kind of fault of the simulator is used', (t) => {
  const used = new Set(
    files.flatMap(({ scenario }) =>
      scenario.phases.flatMap(({ when }) =>
        when.flatMap((action) => ('fault' in action ? [action.fault['kind']] : [])),
      ),
    ),
  )
  t.deepEqual([...used].sort(), Object.keys(faultKinds).sort())
})

test('names tell scenarios apart', (t) => {
  const names = files.map(({ scenario }) => scenario.name)
  t.deepEqual(
    names.filter((name, index) => names.indexOf(name) !== index),
    [],
  )
})
