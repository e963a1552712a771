// What sizing a pool by demand is worth: a simulated day, beside a pool that always has 5 and one that always has 10.
// Run: npm run bench:pool-day -- [seed]
import { dayTable } from '../pool/day.ts'

process.stdout.write(`${dayTable(Number(process.argv[2] ?? 7))}\n`)
