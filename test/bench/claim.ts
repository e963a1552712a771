// Benchmark: from PUT to the first 200 through the proxy for tenants that find a machine ready, running or asleep, and for
// those that do not. The pools are filled at a quick pace; what is measured runs at Fly's own.
// Run: npm run bench:claim -- [claims of each kind, 200] [cold ones, 5]
import { api, put, visit } from '../helpers/client.ts'
import { startMoorage, until, withFolder, type Moorage } from '../helpers/processes.ts'

const [claims = '200', colds = '5'] = process.argv.slice(2)
const tiers = ['running', 'suspended'] as const
/** A member stands ready for one tier in one region, so that each is measured alone. */
const regionOf = { running: 'iad', suspended: 'ams', cold: 'fra' } as const

type Path = keyof typeof regionOf

async function fill(moorage: Moorage, tier: 'running' | 'suspended', count: number): Promise<void> {
  const spec = { region: regionOf[tier], class: 'standard', min: count, max: count, tier, maxAgeHours: 720 }
  const body = JSON.stringify({ kind: 'Pool', name: tier, spec })
  await api(moorage, `/v1/pools/${tier}`, { method: 'PUT', body, headers: { 'content-type': 'application/json' } })
  await until(`${count} stand ready, ${tier}`, 1_800_000, async () => {
    const answer = (await api(moorage, `/v1/pools/${tier}`)).json() as unknown as { status: { warm: number } }
    return answer.status.warm >= count ? true : undefined
  })
}

/** Milliseconds from the PUT to the first answer of the tenant's own gateway. */
async function measure(moorage: Moorage, name: string, path: Path): Promise<number> {
  const started = performance.now()
  const created = await put(moorage, name, { region: regionOf[path], class: 'standard' })
  if (created.status !== 201) throw new Error(`PUT ${name}: ${created.status} ${created.text}`)
  await until(`${name} answers`, 180_000, async () => ((await visit(moorage, name)).status === 200 ? true : undefined))
  return performance.now() - started
}

async function measureAll(moorage: Moorage, path: Path, count: number): Promise<number[]> {
  const took: number[] = []
  for (let run = 0; run < count; run += 1) took.push(await measure(moorage, `${path}-${run}`, path))
  return took.sort((a, b) => a - b)
}

const say = (text: string) => void process.stdout.write(`${text}\n`)
const cell = (text: string | number) => String(text).padStart(10)
const seconds = (ms: number | undefined) => ((ms ?? NaN) / 1000).toFixed(2)

function row(path: string, took: readonly number[]): string {
  const at = (share: number) => took[Math.min(took.length - 1, Math.floor(took.length * share))]
  return [path.padEnd(10), cell(took.length), ...[0.5, 0.9, 0.99, 1].map((share) => cell(seconds(at(share))))].join('')
}

await withFolder(async (folder) => {
  // A list of the fleet every second while the pools fill, and none that matters while it is measured.
  const quick = await startMoorage(folder, { MOORAGE_SIM_SCALE: '0.02', MOORAGE_RESYNC_CRON: '* * * * * *' })
  try {
    for (const tier of tiers) await fill(quick, tier, Number(claims) + 1)
  } finally {
    // Its machines live on, as Fly's would; an orderly end would take them with it.
    await quick.end('SIGKILL')
  }
  const moorage = await startMoorage(folder, { MOORAGE_SIM_SCALE: '1', MOORAGE_RESYNC_CRON: '0 0 * * * *' })
  try {
    await until('the controller acts', 120_000, async () => {
      const { status } = await visit(moorage, 'acme')
      return status === 200 ? true : undefined
    })
    // The first one after a start meets a controller that looks at everybody.
    for (const tier of tiers) await measure(moorage, `first-${tier}`, tier)
    say(`${'path'.padEnd(10)}${['runs', 'p50 s', 'p90 s', 'p99 s', 'max s'].map(cell).join('')}`)
    for (const tier of tiers) say(row(tier, await measureAll(moorage, tier, Number(claims))))
    say(row('cold', await measureAll(moorage, 'cold', Number(colds))))
  } finally {
    await moorage.end('SIGTERM')
  }
})
