// The API against requests made from its own description. `FUZZ_COUNT` and `FUZZ_SEED` ask for more, and for others.
import test from 'ava'
import { startTestApi, token } from '../api/fixture.ts'
import { fuzz } from './run.ts'

const count = Number(process.env['FUZZ_COUNT'] ?? 500)
const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_125)

test(`${count} requests from the description: no failure, no hang, and a refusal changes nothing`, async (t) => {
  t.timeout(3_600_000)
  const { url, db } = await startTestApi(t)
  const { requests, byStatus, defects } = await fuzz({ url, token, db }, count, seed)
  t.log(`seed ${seed}: ${JSON.stringify(byStatus)}`)
  t.is(requests, count)
  t.deepEqual(defects, [])
  t.true((byStatus['200'] ?? 0) > count / 20, 'hardly any request was good')
})
