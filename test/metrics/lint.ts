// What Prometheus' text format and its naming rules ask for (prometheus.io: exposition formats, metric and label naming).

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

interface Family {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly samples: Sample[]
}

const sampleLine = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/
const labelPair = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/g

function sampleOf(line: string): Sample {
  const [, name = '', text = '', value = ''] = sampleLine.exec(line) ?? []
  if (name === '') throw new Error(`not a sample: ${line}`)
  const pairs = [...text.matchAll(labelPair)]
  if (pairs.map(([whole]) => whole).join('') !== text) throw new Error(`not labels: ${line}`)
  const labels = Object.fromEntries(pairs.map(([, label = '', said = '']) => [label, said]))
  return { name, labels, value: Number(value.replace('+Inf', 'Infinity')) }
}

/** Reads an exposition; throws for what is none. */
export function families(text: string): Family[] {
  const found: Family[] = []
  let help: { name: string; text: string } | undefined
  if (!text.endsWith('\n')) throw new Error('the last line has no end')
  for (const line of text.split('\n').slice(0, -1)) {
    if (line === '') continue
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? []
    if (kind === 'HELP') help = { name, text: rest }
    else if (kind === 'TYPE') {
      if (help?.name !== name) throw new Error(`${name} has no help before its type`)
      if (found.some((family) => family.name === name)) throw new Error(`${name} is there twice`)
      found.push({ name, type: rest, help: help.text, samples: [] })
    } else found.at(-1)?.samples.push(sampleOf(line))
  }
  return found
}

const suffixes = /_(bucket|sum|count)$/
const wrongUnits =
  /_(ms|millis|milliseconds|microseconds|minutes|hours|days|percent|kilobytes|kb|mb|mib|megabytes)(_|$)/

function wrongNames({ name, type, help }: Family): string[] {
  const wrong: string[] = []
  if (!/^[a-z][a-z0-9_]*$/.test(name)) wrong.push('is not in small letters and underscores')
  if (type === 'counter' && !name.endsWith('_total')) wrong.push('is a counter and does not end in _total')
  if (type !== 'counter' && name.endsWith('_total')) wrong.push('ends in _total and is no counter')
  if (type === 'histogram' && !/_(seconds|bytes)$/.test(name)) wrong.push('is a histogram without its unit')
  if (type !== 'histogram' && suffixes.test(name)) wrong.push('ends as a part of a histogram does')
  if (wrongUnits.test(name)) wrong.push('is not in base units')
  if (!['counter', 'gauge', 'histogram'].includes(type)) wrong.push(`is a ${type}`)
  if (help.trim().length < 8) wrong.push('has no help')
  return wrong
}

function wrongSamples({ name, type, samples }: Family): string[] {
  const wrong: string[] = []
  const seen = new Set<string>()
  for (const sample of samples) {
    const own = type === 'histogram' ? sample.name.replace(suffixes, '') : sample.name
    if (own !== name) wrong.push(`holds a sample of ${sample.name}`)
    if (Object.keys(sample.labels).some((label) => !/^[a-z][a-z0-9_]*$/.test(label))) wrong.push('has an odd label')
    if (type === 'counter' && !(sample.value >= 0)) wrong.push(`counts ${sample.value}`)
    if (Number.isNaN(sample.value)) wrong.push('has a value that is no number')
    const key = JSON.stringify([sample.name, Object.entries(sample.labels).sort()])
    if (seen.has(key)) wrong.push(`has ${key} twice`)
    seen.add(key)
  }
  return wrong
}

/** Node's own, as prom-client has named them since long ago. */
const inherited = /^(nodejs|process)_/

/** What is wrong with an exposition, one sentence each. */
export function lint(text: string): string[] {
  return families(text).flatMap((family) => {
    const names = inherited.test(family.name) ? [] : wrongNames(family)
    return [...names, ...wrongSamples(family)].map((sentence) => `${family.name} ${sentence}`)
  })
}

/** The one value of a series; labels that are not named may be anything, and then the values are added. */
export function valueOf(text: string, name: string, labels: Readonly<Record<string, string>> = {}): number | undefined {
  const samples = families(text)
    .flatMap((family) => family.samples)
    .filter((sample) => sample.name === name)
    .filter((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
  return samples.length === 0 ? undefined : samples.reduce((sum, { value }) => sum + value, 0)
}
