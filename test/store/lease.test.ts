// The lease over the real store: one holder at a time, a term that only rises, expiry by the local clock.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { Db } from 'mongodb'
import { Lease } from '../../src/store/lease.ts'
import { openStore } from '../../src/store/open.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'

async function database(t: ExecutionContext): Promise<Db> {
  const folder = await mkdtemp(join(tmpdir(), 'moorage-lease-'))
  const store = await openStore({ uri: process.env['MONGODB_URI'], folder })
  t.teardown(async () => {
    await store.db.collection('leases').deleteMany({})
    await store.close()
    await rm(folder, { recursive: true, force: true })
  })
  return store.db
}

let count = 0
const name = `test-${process.pid}`

function contender(t: ExecutionContext, db: Db, clock: VirtualClock, holder: string, uncontested = false) {
  const changes: string[] = []
  const lease = new Lease({
    db,
    name: `${name}-${count}`,
    holder,
    clock,
    ttlMs: 15_000,
    renewMs: 3_000,
    uncontested,
    changed: (state, term) => changes.push(`${state} ${term}`),
    failed: (error) => t.fail(String(error)),
  })
  return { lease, changes }
}

/** Lets real I/O that a virtual timer set off come to its end. */
async function pass(clock: VirtualClock, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 1_000) {
    await clock.advance(Math.min(left, 1_000))
    await new Promise((resolve) => setTimeout(resolve, 15))
  }
}

test.serial('one holds it, the other takes over only after it has not moved for the whole time', async (t) => {
  const db = await database(t)
  count += 1
  const clock = new VirtualClock()
  const stalled = new VirtualClock()
  const a = contender(t, db, stalled, 'a')
  const b = contender(t, db, clock, 'b')
  await a.lease.start()
  await b.lease.start()
  t.is(a.lease.term, 1)
  t.is(b.lease.term, undefined)
  // a renews: b never gets it.
  for (let round = 0; round < 8; round += 1) {
    await pass(stalled, 3_000)
    await pass(clock, 3_000)
  }
  t.is(a.lease.term, 1)
  t.is(b.lease.term, undefined)
  // a freezes: its clock stands still, b's goes on.
  await pass(clock, 12_000)
  t.is(b.lease.term, undefined)
  await pass(clock, 9_000)
  t.is(b.lease.term, 2)
  // a thaws: by its own clock the lease has run out before it may act again.
  await stalled.advance(12_001)
  t.is(a.lease.term, undefined)
  await pass(stalled, 6_000)
  t.is(a.lease.term, undefined)
  await b.lease.close()
  await pass(stalled, 6_000)
  t.is(a.lease.term, 3)
  t.deepEqual(b.changes, ['held 2'])
  await a.lease.close()
})

test.serial('where nobody else can be, a former holder’s lease is taken at once', async (t) => {
  const db = await database(t)
  count += 1
  const dead = contender(t, db, new VirtualClock(), 'dead', true)
  await dead.lease.start()
  t.is(dead.lease.term, 1)
  const next = contender(t, db, new VirtualClock(), 'next', true)
  await next.lease.start()
  t.is(next.lease.term, 2)
  await next.lease.close()
})
