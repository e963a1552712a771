// A person's browser on the real road: the tenant's own page and its WebSocket, the waiting page while the tenant wakes up,
// and the tenant's page again, by itself. Needs chromium; MOORAGE_TEST_BROWSER names another browser, or says none.
import test from 'ava'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { chromium, type Page } from 'playwright-core'
import { api, flyState } from '../helpers/client.ts'
import { until, withFolder } from '../helpers/processes.ts'
import { forget, settle } from '../soak/chaos.ts'
import { startStage } from '../soak/stage.ts'

const wanted = process.env['MOORAGE_TEST_BROWSER']

function browserPath(): string {
  const names = wanted === undefined ? ['chromium', 'chromium-browser', 'google-chrome'] : [wanted]
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const paths = names.flatMap((name) => (name.includes('/') ? [name] : folders.map((folder) => join(folder, name))))
  const found = paths.find((path) => existsSync(path))
  if (found === undefined)
    throw new Error('no browser: install chromium, or set MOORAGE_TEST_BROWSER=none to leave this test out')
  return found
}

/** No sandbox, because root has none; nothing that asks the outside. */
const flags = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
  ...['--disable-component-update', '--disable-sync', '--host-resolver-rules=MAP *.localhost 127.0.0.1'],
]

const state = (page: Page) => page.locator('#state')

const walk = wanted === 'none' ? test.skip : test

walk('a browser talks to its tenant, sees it wake up, and is back', (t) =>
  withFolder(async (folder) => {
    t.timeout(300_000)
    const browser = await chromium.launch({ executablePath: browserPath(), args: flags })
    const stage = await startStage(folder)
    try {
      const fleet = await settle(stage, { steady: 0, sleeper: 1, disturbed: 0 })
      const [tenant] = fleet.targets
      if (tenant === undefined) throw new Error('there is no tenant')
      const machine = async () =>
        (await flyState(stage.fly)).machines.find(({ config }) => config.metadata['moorage_uid'] === tenant.uid)
      const token = (await machine())?.config.env['OPENCLAW_GATEWAY_TOKEN'] ?? ''
      t.not(token, '')

      const page = await browser.newPage()
      const faults: string[] = []
      page.on('pageerror', (error) => faults.push(error.message))
      const seen: number[] = []
      page.on('response', (answer) => {
        if (answer.request().isNavigationRequest()) seen.push(answer.status())
      })
      await page.goto(`http://${tenant.name}.localhost:${stage.proxyPort}/#token=${token}`)
      const connected = state(page).getByText(`connected to ${tenant.uid}, incarnation 1`)
      await connected.waitFor({ timeout: 30_000 })
      await page.getByLabel('Say').fill('ahoy')
      await page.getByRole('button').click()
      await page.locator('#said').getByText('ahoy').waitFor({ timeout: 30_000 })

      // Nobody says anything for long; what was said is written by now.
      await new Promise((resolve) => setTimeout(resolve, 18_000))
      await forget(stage, tenant)
      await until('the machine sleeps', 60_000, async () => (await machine())?.state === 'suspended' || undefined)
      await state(page).getByText('disconnected').waitFor({ timeout: 30_000 })

      // It wakes up slowly enough for the page to be seen.
      const slow = JSON.stringify({ kind: 'delay', action: 'machineStart', ms: 6_000, count: 1 })
      await api({ api: stage.fly, token: 'simulated' }, '/_sim/faults', { method: 'POST', body: slow, headers: { 'content-type': 'application/json' } }) // prettier-ignore
      seen.length = 0
      await page.reload()
      t.deepEqual(seen, [503])
      t.regex(await page.locator('h1').innerText(), /Waking up|Asleep/)
      t.regex(await page.locator('main').innerText(), /looks again by itself/)
      // Nobody touches the browser from here on.
      await connected.waitFor({ timeout: 50_000 })
      t.is(seen.at(-1), 200)
      t.is((await machine())?.state, 'started')
      t.deepEqual(faults, [])
    } finally {
      await browser.close()
      await stage.close()
    }
  }),
)
