// Selectors: what they read, what they refuse and where, and what they match.
import test from 'ava'
import fc from 'fast-check'
import {
  longestSelector,
  matchesFields,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
  printFieldSelector,
  printLabelSelector,
  type FieldRequirement,
  type LabelRequirement,
  type LabelSelector,
} from '../../specs/selector.ts'

function labelSelector(text: string): LabelSelector {
  const parsed = parseLabelSelector(text)
  if (!parsed.ok) throw new Error(`${text}: ${parsed.problem.message}`)
  return parsed.value
}

const fields = ['status.effective', 'spec.region', 'name']

/** Each selector with the labels that it takes and those that it leaves. */
const matches: readonly (readonly [text: string, taken: object[], left: object[]])[] = [
  ['', [{}, { plan: 'pro' }], []],
  ['plan=pro', [{ plan: 'pro' }], [{}, { plan: 'team' }, { Plan: 'pro' }]],
  ['plan == pro', [{ plan: 'pro', x: 'y' }], [{ plan: 'Pro' }]],
  ['plan!=pro', [{}, { plan: 'team' }], [{ plan: 'pro' }]],
  ['plan in (pro, team)', [{ plan: 'pro' }, { plan: 'team' }], [{}, { plan: 'free' }]],
  ['plan notin (pro,team)', [{}, { plan: 'free' }], [{ plan: 'pro' }]],
  ['plan', [{ plan: '' }, { plan: 'x' }], [{}, { toString: 'x' }]],
  ['!plan', [{}], [{ plan: '' }]],
  ['plan=', [{ plan: '' }], [{}, { plan: 'x' }]],
  ['plan in (,pro)', [{ plan: '' }, { plan: 'pro' }], [{}]],
  ['moorage/internal=true,plan!=pro', [{ 'moorage/internal': 'true' }], [{ 'moorage/internal': 'true', plan: 'pro' }]],
  ['in in (in),notin', [{ in: 'in', notin: '' }], [{ in: 'in' }]],
  ['toString', [], [{}]],
  ['!constructor', [{}], []],
]

test('a label selector takes what fulfils all of it', (t) => {
  for (const [text, taken, left] of matches) {
    for (const labels of taken) t.true(matchesLabels(labelSelector(text), { ...labels }), text)
    for (const labels of left) t.false(matchesLabels(labelSelector(text), { ...labels }), text)
  }
})

test('what is not a label selector is refused at its place', (t) => {
  const wrong: readonly (readonly [text: string, at: number])[] = [
    ['plan=pro,', 10],
    [',plan', 1],
    ['plan=pro team', 10],
    ['plan in pro', 9],
    ['plan in ()', 10],
    ['plan in (pro', 13],
    ['plan in (pro team)', 14],
    ['plan=pro;x', 9],
    ['!', 2],
    ['!!plan', 2],
    ['plan=!x', 6],
    ['-plan=x', 1],
    ['plan=-x', 6],
    ['a/b/c', 1],
    ['  =x', 3],
    ['plan>3', 5],
    [`plan=${'x'.repeat(64)}`, 6],
    ['x'.repeat(longestSelector + 1), longestSelector + 1],
  ]
  for (const [text, at] of wrong) {
    const parsed = parseLabelSelector(text)
    t.is(parsed.ok ? 'accepted' : parsed.problem.at, at, text)
  }
})

const word = fc.stringMatching(/^[A-Za-z0-9]([A-Za-z0-9._-]{0,8}[A-Za-z0-9])?$/)
const key = fc.oneof(
  word,
  fc.tuple(fc.stringMatching(/^[a-z0-9.-]{1,8}$/), word).map(([prefix, name]) => `${prefix}/${name}`),
)
const value = fc.oneof(word, fc.constant(''))
const requirement: fc.Arbitrary<LabelRequirement> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('in' as const, 'notIn' as const),
    key,
    values: fc.uniqueArray(value, { minLength: 1, maxLength: 4 }),
  }),
  fc.record({ kind: fc.constantFrom('exists' as const, 'absent' as const), key }),
)

test('a label selector that is printed reads back as the same', (t) => {
  fc.assert(
    fc.property(fc.array(requirement, { maxLength: 5 }), (selector) => {
      const text = printLabelSelector(selector)
      t.deepEqual(parseLabelSelector(text), { ok: true, value: selector }, text)
    }),
  )
})

test('any text at all is read or refused inside of itself', (t) => {
  const text = fc.oneof(fc.string(), fc.array(fc.constantFrom('a', 'in', '(', ')', ',', '=', '!', ' ', '\\', 'name')))
  fc.assert(
    fc.property(text, (some) => {
      const joined = typeof some === 'string' ? some : some.join('')
      for (const parsed of [parseLabelSelector(joined), parseFieldSelector(joined, fields)])
        t.true(parsed.ok || (parsed.problem.at >= 1 && parsed.problem.at <= joined.length + 1), joined)
    }),
  )
})

test('a requirement and its opposite divide all labels between them', (t) => {
  const labels = fc.dictionary(word, value, { maxKeys: 4 })
  fc.assert(
    fc.property(labels, requirement, (some, one) => {
      const opposite = { in: 'notIn', notIn: 'in', exists: 'absent', absent: 'exists' } as const
      const other = { ...one, kind: opposite[one.kind] } as LabelRequirement
      t.not(matchesLabels([one], some), matchesLabels([other], some))
    }),
  )
})

test('a field selector names only the fields that the caller allows', (t) => {
  const parsed = parseFieldSelector('status.effective!=running, spec.region == iad', fields)
  t.deepEqual(parsed, {
    ok: true,
    value: [
      { kind: 'isNot', path: 'status.effective', value: 'running' },
      { kind: 'is', path: 'spec.region', value: 'iad' },
    ],
  })
  const other = parseFieldSelector('spec.region=iad,spec.config=x', fields)
  t.deepEqual(other.ok ? undefined : other.problem, {
    at: 17,
    message: 'spec.config cannot be selected by: only status.effective, spec.region, name can',
  })
})

test('a field selector matches what is there; what is not there is empty', (t) => {
  const values: Readonly<Record<string, string>> = { name: 'acme', 'spec.region': 'iad' }
  const match = (text: string) => {
    const parsed = parseFieldSelector(text, fields)
    return parsed.ok && matchesFields(parsed.value, (path) => values[path])
  }
  for (const text of ['', 'name=acme', 'name!=hooli,spec.region=iad', 'status.effective=']) t.true(match(text), text)
  for (const text of ['name=hooli', 'name=acme,spec.region!=iad', 'status.effective!=']) t.false(match(text), text)
})

test('what is not a field selector is refused at its place', (t) => {
  const wrong: readonly (readonly [text: string, at: number])[] = [
    ['name', 5],
    ['name=a,', 8],
    [',name=a', 1],
    ['name=a=b', 5],
    ['=a', 1],
    ['name=a\\b', 5],
    ['name in (a)', 5],
    ['toString=a', 1],
  ]
  for (const [text, at] of wrong) {
    const parsed = parseFieldSelector(text, fields)
    t.is(parsed.ok ? 'accepted' : parsed.problem.at, at, text)
  }
})

test('a field selector that is printed reads back as the same', (t) => {
  const one: fc.Arbitrary<FieldRequirement> = fc.record({
    kind: fc.constantFrom('is' as const, 'isNot' as const),
    path: fc.constantFrom(...fields),
    value: fc.string().map((text) => text.trim()),
  })
  fc.assert(
    fc.property(fc.array(one, { maxLength: 4 }), (selector) => {
      t.deepEqual(parseFieldSelector(printFieldSelector(selector), fields), { ok: true, value: selector })
    }),
  )
})
