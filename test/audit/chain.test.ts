// The chain over a real store: whatever is done to it in the database is found, and several processes make one chain.
import test from 'ava'
import fc from 'fast-check'
import { chained, ChainCheck, faultSentence, hashOf } from '../../src/audit/chain.ts'
import type { AuditEntry } from '../../src/audit/entry.ts'
import { auditIn } from '../../src/store/audit.ts'
import { appenderOver, body, checked, openAudit } from './fixture.ts'

/** Every place in a document that holds a value, as a path that MongoDB writes. */
function places(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return [path]
  return Object.entries(value).flatMap(([name, inner]) => places(inner, path === '' ? name : `${path}.${name}`))
}

const kindOf = async (store: Parameters<typeof checked>[0]) => (await checked(store)).fault?.kind

test('entries are numbered from 1, and each covers the one before', async (t) => {
  const { store } = await openAudit(t)
  const appender = appenderOver(store)
  for (const name of ['a', 'b', 'c']) await appender.append(body(name))
  const [newest] = await store.page({ order: 'newest', limit: 1 })
  t.deepEqual(await checked(store), {
    ...{ entries: 3, fault: undefined, open: [] },
    head: { seq: 3, hash: newest?.hash ?? '' },
  })
  t.deepEqual(await store.head(), { seq: 3, hash: newest?.hash ?? '' })
})

test('a change of any field of any entry is found, and so is a field more', async (t) => {
  const { db, store } = await openAudit(t)
  const appender = appenderOver(store)
  for (const name of ['a', 'b', 'c']) await appender.append(body(name, { intent: 1 }))
  const audit = db.collection<{ _id: number }>('audit')
  const before = await audit.findOne({ _id: 2 })
  if (before === null) return t.fail('nothing is stored')
  const fields = places(before).filter((path) => path !== '_id')
  t.true(fields.length > 15)
  for (const path of [...fields, 'caller.more', 'more']) {
    await audit.updateOne({ _id: 2 }, { $set: { [path]: 'other' } })
    t.deepEqual((await checked(store)).fault, { kind: 'changed', seq: 2 }, path)
    await audit.replaceOne({ _id: 2 }, before)
  }
  t.is(await kindOf(store), undefined)
})

test('an entry whose hash was made anew breaks the one after it', async (t) => {
  const { db, store } = await openAudit(t)
  const appender = appenderOver(store)
  for (const name of ['a', 'b', 'c']) await appender.append(body(name))
  const [, second] = await store.page({ order: 'oldest', limit: 2 })
  if (second === undefined) return t.fail('nothing is stored')
  const forged: AuditEntry = { ...second, caller: { ...second.caller, id: 'token:eve' } }
  const audit = db.collection<{ _id: number }>('audit')
  await audit.updateOne({ _id: 2 }, { $set: { caller: forged.caller, hash: hashOf({ ...forged }) } })
  t.deepEqual((await checked(store)).fault, { kind: 'unlinked', seq: 3 })
  // At the very end it is the kept head that knows better.
  await audit.deleteOne({ _id: 3 })
  await db.collection('heads').updateOne({}, { $set: { seq: 2, hash: second.hash } })
  t.is(await kindOf(store), 'replaced')
})

test('entries that are removed, swapped, or cut off at the end are found', async (t) => {
  const { db, store } = await openAudit(t)
  const appender = appenderOver(store)
  for (const name of ['a', 'b', 'c', 'd']) await appender.append(body(name))
  const audit = db.collection<{ _id: number }>('audit')
  const all = await audit.find().sort({ _id: 1 }).toArray()
  const [first, second, third, fourth] = all
  if (first === undefined || second === undefined || third === undefined || fourth === undefined) return t.fail()
  await audit.deleteOne({ _id: 2 })
  t.deepEqual((await checked(store)).fault, { kind: 'missing', seq: 2, found: 3 })
  await audit.insertOne(second)
  await audit.replaceOne({ _id: 2 }, { ...third, _id: 2 })
  await audit.replaceOne({ _id: 3 }, { ...second, _id: 3 })
  t.deepEqual((await checked(store)).fault, { kind: 'changed', seq: 2 })
  await audit.replaceOne({ _id: 2 }, second)
  await audit.replaceOne({ _id: 3 }, third)
  await audit.deleteOne({ _id: 1 })
  t.deepEqual((await checked(store)).fault, { kind: 'missing', seq: 1, found: 2 })
  await audit.insertOne(first)
  t.is(await kindOf(store), undefined)
  await audit.deleteOne({ _id: 4 })
  const head = { seq: 4, hash: (fourth as unknown as AuditEntry).hash }
  const { fault } = await checked(store)
  t.deepEqual(fault, { kind: 'shortened', head, last: 3 })
  t.is(fault && faultSentence(fault), 'The end is missing: the audit had reached entry 4, and ends at 3.')
  // Whoever can write to the database can turn the kept head back too; not the one that somebody wrote down.
  await db.collection('heads').deleteMany({})
  t.is(await kindOf(store), undefined)
  t.is((await checked(store, [head])).fault?.kind, 'shortened')
  await audit.deleteMany({})
  t.is((await checked(store, [head])).fault?.kind, 'shortened')
})

test('many processes at once make one chain in which every entry stands once', async (t) => {
  const { db, store } = await openAudit(t)
  const processes = Array.from({ length: 4 }, () => appenderOver(auditIn(db)))
  const numbers = Array.from({ length: 40 }, (_, index) => index)
  const written = await Promise.all(
    processes.flatMap((appender, index) => numbers.map((number) => appender.append(body(`p${index}-${number}`)))),
  )
  t.is(new Set(written.map(({ seq }) => seq)).size, 160)
  const { entries, fault } = await checked(store)
  t.deepEqual([entries, fault], [160, undefined])
  const objects = (await store.page({ order: 'oldest', limit: 1_000 })).map(({ object }) => object)
  t.is(new Set(objects).size, 160)
  // Each process's own entries stand in its own order.
  for (const index of processes.keys()) {
    const own = objects.filter((object) => object.startsWith(`tenants/p${index}-`))
    t.deepEqual(own, numbers.map((number) => `tenants/p${index}-${number}`)) // prettier-ignore
  }
})

test('a store that fails loses no entry that was acknowledged, and the chain goes on after it', async (t) => {
  const { store } = await openAudit(t)
  let failing: 'no' | 'before' | 'after' = 'no'
  const appender = appenderOver({
    ...store,
    insert: async (entries) => {
      if (failing === 'before') throw new Error('lost')
      const count = await store.insert(entries)
      if (failing === 'after') throw new Error('lost')
      return count
    },
  })
  await appender.append(body('a'))
  failing = 'before'
  await t.throwsAsync(appender.append(body('b')), { message: 'lost' })
  failing = 'after'
  await t.throwsAsync(appender.append(body('c')), { message: 'lost' })
  failing = 'no'
  t.is((await appender.append(body('d'))).seq, 3)
  const objects = (await store.page({ order: 'oldest', limit: 10 })).map(({ object }) => object)
  t.deepEqual(objects, ['tenants/a', 'tenants/c', 'tenants/d'])
  t.is((await checked(store)).fault, undefined)
})

test('any chain holds, whatever text is in it, and no single change of it does', (t) => {
  const text = fc.string({ unit: 'binary' })
  const bodies = fc.array(fc.record({ reason: text, object: text }), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(bodies, fc.nat(), text, (some, at, other) => {
      const entries = chained(
        undefined,
        some.map((more) => body('a', more)),
      )
      const report = (chain: readonly AuditEntry[]) => {
        const check = new ChainCheck()
        for (const entry of chain) check.take({ ...entry })
        return check.report()
      }
      t.is(report(entries).fault, undefined)
      const index = at % entries.length
      const changed = entries.map((entry, place) => (place === index ? { ...entry, reason: `${other}!` } : entry))
      const same = entries[index]?.reason === `${other}!`
      t.deepEqual(report(changed).fault, same ? undefined : { kind: 'changed', seq: index + 1 })
    }),
  )
})
