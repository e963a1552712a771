// What a person who runs `npm start` sees: where everything is, what to try, and each tenant's steps as they happen.
import { styleText } from 'node:util'
import type { JournalEntry } from '../reconciler/ports.ts'

export interface Places {
  readonly api: string | undefined
  readonly proxy: string | undefined
  /** The proxy's port, for the hosts of tenants. */
  readonly proxyPort: number | undefined
  readonly fly: string
  readonly simulated: boolean
  readonly scale: number
  readonly database: string
  readonly tokenFile: string
  readonly domain: string
  readonly logFile: string | undefined
}

type Write = (text: string) => void

function row(label: string, value: string | undefined): string {
  return value === undefined ? '' : `  ${styleText('bold', label.padEnd(13))}${value}\n`
}

/** The examples exist on the simulated Fly only. */
function trials({ api, proxyPort, tokenFile, domain, simulated }: Places): string {
  if (api === undefined || proxyPort === undefined || !simulated) return ''
  const token = `"Authorization: Bearer $(cat ${tokenFile})"`
  return [
    '\n  Try, in another terminal:\n',
    `    curl http://acme.${domain}:${proxyPort}/\n`,
    `    curl -H ${token} ${api}/v1/tenants/acme\n`,
    `    sed s/suspended/running/ specs/examples/initech.yaml | curl -X PUT -H ${token} -H 'Content-Type: application/yaml' --data-binary @- ${api}/v1/tenants/initech\n`,
  ].join('')
}

/** Prints where things are. */
export function announce(places: Places, write: Write): void {
  const pace = places.simulated ? ` (simulated, times x${places.scale})` : ''
  write(
    [
      `\n${styleText('bold', 'Moorage')} is up.\n\n`,
      row('REST API', places.api),
      row(
        'Tenants',
        places.proxyPort === undefined ? undefined : `http://<name>.${places.domain}:${places.proxyPort}/`,
      ),
      row('Proxy', places.proxy),
      row('Fly', `${places.fly}${pace}`),
      row('Database', places.database),
      row('Admin token', places.tokenFile),
      row('Log', places.logFile),
      trials(places),
      '\n',
    ].join(''),
  )
}

const marks: Readonly<Record<JournalEntry['kind'], string>> = {
  step: '·',
  done: '✓',
  failed: '✗',
  wait: '…',
  settled: '●',
  stalled: '■',
}

/** One line for each step of each tenant, with the seconds it took and since it was first seen. */
export function stepPrinter(write: Write): (entry: JournalEntry) => void {
  const begun = new Map<string, number>()
  return ({ at, tenant, kind, message, tookMs }) => {
    if (kind === 'step') {
      if (!begun.has(tenant)) begun.set(tenant, at)
      return
    }
    const since = begun.get(tenant)
    const took = tookMs === undefined ? '' : ` ${(tookMs / 1000).toFixed(1)} s`
    const total = kind === 'settled' && since !== undefined ? ` after ${((at - since) / 1000).toFixed(1)} s` : ''
    write(`  ${tenant.padEnd(12)} ${marks[kind]} ${kind === 'settled' ? 'converged' : message}${took}${total}\n`)
    if (kind === 'settled') begun.delete(tenant)
  }
}
