// Who waits with Fly for a machine is looked at when it is there, and nobody hears of what does not come.
import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import type { Coming } from '../../reconciler/decision.ts'
import { Vigil } from '../../reconciler/vigil.ts'
import { Fault } from '../../specs/faults.ts'

const coming: Coming = { machine: 'm1', state: 'started' }

function vigilOf() {
  const calls: PromiseWithResolvers<boolean>[] = []
  const [woken, failed]: [string[], unknown[]] = [[], []]
  const reached = () => {
    const call = Promise.withResolvers<boolean>()
    calls.push(call)
    return call.promise
  }
  const told = { wake: (uid: string) => void woken.push(uid), failed: (_uid: string, error: unknown) => void failed.push(error) } // prettier-ignore
  return { calls, woken, failed, vigil: new Vigil({ reached }, told) }
}

test('a machine that comes wakes its tenant, once for each call', async (t) => {
  const { vigil, calls, woken } = vigilOf()
  vigil.keep('a', coming)
  vigil.keep('a', coming)
  vigil.keep('b', coming)
  t.is(calls.length, 2)
  calls[0]?.resolve(true)
  await turn()
  t.deepEqual(woken, ['a'])
  vigil.keep('a', coming)
  t.is(calls.length, 3)
})

test('what does not come, or is refused, wakes nobody; a defect is told', async (t) => {
  const { vigil, calls, woken, failed } = vigilOf()
  const ends = [
    (call: (typeof calls)[number] | undefined) => call?.resolve(false),
    (call: (typeof calls)[number] | undefined) => call?.reject(new Fault('throttled', 'no', { call: 'machineWait' })),
    (call: (typeof calls)[number] | undefined) => call?.reject(new TypeError('ours')),
  ]
  for (const [index, end] of ends.entries()) {
    vigil.keep(`t${index}`, coming)
    end(calls[index])
  }
  await turn()
  t.deepEqual(woken, [])
  t.deepEqual(failed.map(String), ['TypeError: ours'])
})

test('after its end nobody is woken and nothing is asked; only so many calls are under way', async (t) => {
  const { vigil, calls, woken } = vigilOf()
  for (let index = 0; index < 100; index += 1) vigil.keep(`t${index}`, coming)
  t.is(calls.length, 64)
  vigil.end()
  calls[0]?.resolve(true)
  await turn()
  vigil.keep('late', coming)
  t.deepEqual([woken, calls.length], [[], 64])
})
