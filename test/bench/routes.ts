// Benchmark: from the status that the reconciler writes to the route in the proxy's table, through the database and its watch.
// Run: npm run bench:routes -- <tenants> <changes>   (the embedded database, unless MONGODB_URI says another)
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { RouteTable } from '../../proxy/table.ts'
import { realClock } from '../../src/clock.ts'
import { routesOf } from '../../src/routes.ts'
import { openStore } from '../../src/store/open.ts'
import { tenantsIn } from '../../src/store/tenants.ts'
import { freshStatus, tenantWith } from '../helpers/tenants.ts'

const [count = '1000', changes = '500'] = process.argv.slice(2)
const folder = mkdtempSync(join(tmpdir(), 'moorage-bench-'))
const print = (text: string) => process.stdout.write(`${text}\n`)
const at = (sorted: readonly number[], part: number) => (sorted[Math.floor(sorted.length * part)] ?? NaN).toFixed(1)

const store = await openStore({ uri: process.env['MONGODB_URI'], folder })
const tenants = tenantsIn(store.db)
const uidOf = (index: number) => `bench${String(index).padStart(11, '0')}`

try {
  for (let index = 0; index < Number(count); index += 1)
    await tenants.add(tenantWith({}, { name: `bench-${index}`, uid: uidOf(index) }))
  let arrived: (() => void) | undefined
  const nothing = () => undefined
  const changed = () => arrived?.()
  const table = new RouteTable({ opened: nothing, retired: nothing, contested: nothing, changed })
  const failed = (error: unknown) => void print(String(error))
  const following = await routesOf(tenants, { clock: realClock, failed }).follow(table)
  const took: number[] = []
  for (let index = 0; index < Number(changes); index += 1) {
    const uid = uidOf(index % Number(count))
    const tenant = await tenants.get(uid)
    if (tenant === undefined) throw new Error('the tenant is gone')
    const there = new Promise<void>((resolve) => (arrived = resolve))
    const address = `fdaa::${(index % 9_999) + 1}`
    const route = { kind: 'forward', machine: 'm', incarnation: 1, address, port: 18_789 } as const
    const began = performance.now()
    await Promise.all([
      there,
      tenants.saveStatus(tenant, { ...freshStatus, hosts: [`bench-${index}.localhost`], route }),
    ])
    took.push(performance.now() - began)
    await delay(5)
  }
  await following.close()
  took.sort((a, b) => a - b)
  print(
    `${took.length} route changes among ${count} tenants, from the write to the proxy's table, ms: ` +
      `p50 ${at(took, 0.5)}, p99 ${at(took, 0.99)}, most ${at(took, 1 - 1 / took.length)}`,
  )
} finally {
  await store.close()
  rmSync(folder, { recursive: true })
}
