// Benchmark: from PUT to the first 200 through the proxy, for tenants that find a machine ready, running or asleep, and for
// those that do not. The pools are filled at a quick pace; what is measured runs at Fly's own.
// Run: npm run bench:claim -- [--claims 200] [--cold 5] [--guest stand-in|openclaw|both] [--trace]
import { parseArgs } from 'node:util'
import { cacheFolder, guestCache, isInstalled } from '../../src/sim/openclaw/cache.ts'
import { withFolder } from '../helpers/processes.ts'
import { openReceiver } from '../tracing/receiver.ts'
import { claimAll, claimTable, fill, type Setting, type Took } from './claim-parts.ts'
import { courseOf, partsTable, slowestOf, tracesOf } from './claim-trace.ts'

const { values } = parseArgs({
  options: {
    claims: { type: 'string' },
    cold: { type: 'string' },
    guest: { type: 'string' },
    trace: { type: 'boolean', default: false },
  },
})

/** So many stand ready at a time: a real gateway takes 1.2 GB, and a core for half a minute to start. */
const guests = {
  'stand-in': { batch: 200, claims: 200, colds: 5, fillScale: '0.02' },
  openclaw: { batch: 3, claims: 12, colds: 1, fillScale: '0.1' },
} as const

type GuestName = keyof typeof guests

const say = (text: string) => void process.stdout.write(`${text}\n`)
const numberOr = (text: string | undefined, usual: number) => (text === undefined ? usual : Number(text))

async function measureAll(setting: Setting, name: GuestName): Promise<Took> {
  const { batch, claims: usual, colds } = guests[name]
  const claims = numberOr(values.claims, usual)
  let took: Took = { running: [], suspended: [], cold: [] }
  for (let from = 0; from < claims; from += batch) {
    const last = from + batch >= claims
    const cold = last ? numberOr(values.cold, colds) : 0
    const round = { from, claims: Math.min(batch, claims - from), colds: cold, last }
    // One more of each: the first ones are not counted.
    await fill(setting, round.claims + 1)
    const more = await claimAll(setting, round)
    took = {
      running: [...took.running, ...more.running],
      suspended: [...took.suspended, ...more.suspended],
      cold: [...took.cold, ...more.cold],
    }
  }
  return took
}

async function bench(name: GuestName): Promise<void> {
  const receiver = values.trace ? await openReceiver() : undefined
  const env = {
    ...(name === 'openclaw' ? { MOORAGE_GUEST: 'openclaw', MOORAGE_GUEST_CACHE: cacheFolder(process.env) } : {}),
    ...(receiver === undefined ? {} : { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url }),
  }
  try {
    const took = await withFolder((folder) => measureAll({ folder, env, fillScale: guests[name].fillScale }, name))
    say(`\nPUT to the first 200 through the proxy, gateway: ${name}\n${claimTable(took)}`)
    if (receiver === undefined) return
    const traces = tracesOf(receiver)
    for (const path of ['running', 'suspended']) {
      const own = [...traces].filter(([tenant]) => tenant.startsWith(`${path}-`)).map(([, spans]) => spans)
      say(`\n${path}: the median of each part over ${own.length}, and the course of the slowest`)
      say(`${partsTable(own)}\n${courseOf(slowestOf(own))}`)
    }
  } finally {
    receiver?.close()
  }
}

const installed = isInstalled(guestCache(cacheFolder(process.env)))
const chosen = values.guest ?? (installed ? 'both' : 'stand-in')
if (chosen !== 'openclaw') await bench('stand-in')
if (chosen !== 'stand-in') await bench('openclaw')
