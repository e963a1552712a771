// Benchmark: from PUT to the first 200 through the proxy, for tenants made one after the other.
// Run: npm run bench:provision -- <scale> <runs>   (scale 1 is Fly's own pace; the stand-in guest, the simulated Fly)
import { put, visit } from '../helpers/client.ts'
import { startMoorage, until, withFolder } from '../helpers/processes.ts'

const [scale = '0.1', runs = '5'] = process.argv.slice(2)

await withFolder(async (folder) => {
  const moorage = await startMoorage(folder, { MOORAGE_SIM_SCALE: scale })
  const seconds: number[] = []
  try {
    for (let run = 0; run < Number(runs); run += 1) {
      const name = `bench-${run}`
      const started = performance.now()
      await put(moorage, name, { state: 'running' })
      await until(`${name} answers`, 180_000, async () =>
        (await visit(moorage, name)).status === 200 ? true : undefined,
      )
      seconds.push((performance.now() - started) / 1000)
    }
  } finally {
    await moorage.end('SIGTERM')
  }
  seconds.sort((a, b) => a - b)
  const text = (value: number | undefined) => (value ?? NaN).toFixed(2)
  const median = seconds[Math.floor(seconds.length / 2)]
  process.stdout.write(
    `PUT to first 200, scale ${scale}, ${runs} runs: min ${text(seconds[0])} s, median ${text(median)} s, max ${text(seconds.at(-1))} s\n`,
  )
})
