// Properties over random documents: the byte order is BSON's order, matching is what the manual says, no plan changes a
// result, and an update's description is the update.
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { BSON } from 'mongodb'
import { alter } from '../../../src/store/embedded/alter.ts'
import { type Doc, decode, encode } from '../../../src/store/embedded/bson.ts'
import { describeUpdate } from '../../../src/store/embedded/diff.ts'
import { parseFilter } from '../../../src/store/embedded/filter.ts'
import { parseIndexSpec } from '../../../src/store/embedded/index-spec.ts'
import { sortKey } from '../../../src/store/embedded/keys.ts'
import { matches } from '../../../src/store/embedded/match.ts'
import { compareValues, encodeKey } from '../../../src/store/embedded/order.ts'
import { parseSort, select, selectAll, eachRow } from '../../../src/store/embedded/select.ts'
import { openStore, type Store } from '../../../src/store/embedded/store.ts'
import { anyValue, bounded, filter, indexedDoc, indexedPath, number, smallDoc } from './arbitraries.ts'
import { temporaryFolder } from './children.ts'
import * as oracle from './oracle.ts'

test('the bytes of keys compare as the values do', (t) => {
  const pairs = fc.oneof(fc.tuple(anyValue, anyValue), fc.tuple(number, number))
  fc.assert(
    fc.property(pairs, ([a, b]) => Math.sign(compareValues(a, b)) === Math.sign(oracle.compare(a, b))),
    { numRuns: 5000 },
  )
  t.pass()
})

test('compound keys compare part by part, each in its direction', (t) => {
  const direction = fc.constantFrom<1 | -1>(1, -1)
  fc.assert(
    fc.property(anyValue, anyValue, anyValue, anyValue, direction, direction, (a1, a2, b1, b2, d1, d2) => {
      const bytes = Buffer.compare(encodeKey([a1, a2], [d1, d2]), encodeKey([b1, b2], [d1, d2]))
      return bytes === Math.sign(d1 * oracle.compare(a1, b1) || d2 * oracle.compare(a2, b2)) + 0
    }),
    { numRuns: 3000 },
  )
  t.pass()
})

test('matching is what the manual says', (t) => {
  fc.assert(
    fc.property(smallDoc, filter, (doc, query) => matches(parseFilter(query), doc) === oracle.matches(query, doc)),
    { numRuns: 10_000 },
  )
  t.pass()
})

test('values come back from BSON as they were', (t) => {
  fc.assert(
    fc.property(anyValue, (value) => Buffer.compare(encode({ value }), encode(decode(encode({ value })))) === 0),
  )
  t.pass()
})

test('a description of an update makes the one document of the other', (t) => {
  fc.assert(
    fc.property(smallDoc, smallDoc, (before, after) => {
      const { updatedFields, removedFields } = describeUpdate(before, after)
      const without = removedFields.reduce((doc, name) => alter(doc, name.split('.'), false, () => undefined), before)
      const made = Object.entries(updatedFields).reduce(
        (doc, [name, value]) => alter(doc, name.split('.'), true, () => value),
        without,
      )
      return canonical(made) === canonical(after)
    }),
    { numRuns: 5000 },
  )
  t.pass()
})

/** Field order aside, which a description does not carry. */
function canonical(value: unknown): string {
  const sorted = (_key: string, part: unknown): unknown =>
    typeof part === 'object' && part !== null && Object.getPrototypeOf(part) === Object.prototype
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part
  return JSON.stringify(JSON.parse(BSON.EJSON.stringify(value, { relaxed: false })), sorted)
}

const direction = fc.constantFrom(1, -1)
const pattern = fc.dictionary(indexedPath, direction, { minKeys: 1, maxKeys: 2, noNullPrototype: true })
const partial = fc.constantFrom<Doc | undefined>(
  undefined,
  undefined,
  { a: 1 },
  { b: { $exists: true } },
  { a: { $gte: 1 } },
)

test('indexes, skips and limits change no result', async (t) => {
  const store = await temporaryStore(t)
  const indexes = fc.array(fc.tuple(pattern, partial), { minLength: 1, maxLength: 2 })
  const queries = fc.array(fc.tuple(fc.oneof(bounded, bounded, filter), fc.option(pattern, { nil: {} })), {
    minLength: 8,
    maxLength: 12,
  })
  fc.assert(
    fc.property(
      fc.array(fc.oneof(indexedDoc, indexedDoc, smallDoc), { minLength: 4, maxLength: 12 }),
      indexes,
      queries,
      (docs, specs, all) => {
        if (!fill(store, docs, specs)) return
        for (const [query, sort] of all) if (isSortable(docs, sort)) checkQuery(t, store, docs, query, sort)
      },
    ),
    { numRuns: 700 },
  )
  t.pass()
})

async function temporaryStore(t: ExecutionContext): Promise<Store> {
  const store = openStore({ file: join(await temporaryFolder(t), 'file'), oplogBytes: 1e6, now: () => new Date() })
  t.teardown(() => store.close())
  return store
}

/** A new collection with these; false where the documents cannot be indexed so (arrays side by side). */
function fill(store: Store, docs: readonly Doc[], specs: readonly (readonly [Doc, Doc | undefined])[]): boolean {
  const old = store.catalog.find('db', 'c')
  if (old !== undefined) store.turn.write(() => store.records.drop(old))
  try {
    store.turn.write(() => {
      specs.forEach(([key, partialFilterExpression], at) => {
        const spec = parseIndexSpec({
          key,
          name: `i${at}`,
          ...(partialFilterExpression && { partialFilterExpression }),
        })
        store.catalog.addIndex(store.catalog.ensure('db', 'c'), spec)
      })
      docs.forEach((doc, _id) => {
        const stored = { _id, ...doc }
        store.records.insert(store.catalog.ensure('db', 'c'), stored, encode(stored))
      })
    })
    return true
  } catch (error) {
    if (error instanceof Error && error.message.includes('parallel')) return false
    throw error
  }
}

function isSortable(docs: readonly Doc[], sort: Doc): boolean {
  const fields = parseSort(sort)
  try {
    docs.forEach((doc) => sortKey(doc, fields))
    return true
  } catch (error) {
    if (error instanceof Error && error.message.includes('parallel')) return false
    throw error
  }
}

function checkQuery(t: ExecutionContext, store: Store, docs: readonly Doc[], query: Doc, sort: Doc): void {
  const fields = parseSort(sort)
  const ids = (skip: number, limit: number) =>
    selectAll(store, 'db', 'c', { filter: parseFilter(query), sort: fields, skip, limit }, () => undefined).map(
      ({ doc }) => Number(doc['_id']),
    )
  const all = ids(0, 0)
  const expected = docs.flatMap((doc, at) => (oracle.matches(query, doc) ? [at] : []))
  t.deepEqual(
    all.toSorted((a, b) => a - b),
    expected,
  )
  const keys = all.map((id) => sortKey(docs[id] ?? {}, fields))
  if (fields.length > 0)
    t.true(
      keys.every((key, at) => at === 0 || Buffer.compare(keys[at - 1] ?? key, key) <= 0),
      'in order',
    )
  t.deepEqual(ids(1, 2), all.slice(1, 3))
  t.deepEqual(paused(store, query, sort), all)
}

/** As a client with batchSize 1 reads: paused after every row. */
function paused(store: Store, query: Doc, sort: Doc): number[] {
  const plain = { filter: parseFilter(query), sort: parseSort(sort), skip: 0, limit: 0 }
  const rows = select(store, 'db', 'c', plain, () => undefined)
  const all: number[] = []
  for (const { doc } of eachRow({ next: () => rows.next(), pause: () => rows.pause() })) {
    all.push(Number(doc['_id']))
    rows.pause()
  }
  return all
}
