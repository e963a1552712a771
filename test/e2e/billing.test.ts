// Billing changes its mind a thousand times about one tenant while the controller works: what counts is the last word, and
// what is looked at is what runs on Fly.
import test, { type ExecutionContext } from 'ava'
import { Webhook } from 'standardwebhooks'
import { api, ask, converged, flyState, put, tenant, visit, type TenantAnswer } from '../helpers/client.ts'
import { startMoorage, withFolder, type Moorage } from '../helpers/processes.ts'

const secret = `whsec_${Buffer.alloc(32, 3).toString('base64')}`
const json = { 'content-type': 'application/json' }

/** Six at once on one tenant each need their turn, on a busy computer too. */
const timeoutMs = 60_000

type Word = 'active' | 'suspended' | 'ended'

/** By the operation and by the signed webhook, in turns: both are billing. */
async function say(moorage: Moorage, word: Word, n: number): Promise<number> {
  if (n % 2 === 0) {
    const asked = {
      method: 'PUT',
      headers: json,
      body: JSON.stringify({ state: word, reason: `word ${n}` }),
      timeoutMs,
    }
    return (await api(moorage, '/v1/tenants/hooli/entitlement', asked)).status
  }
  const at = new Date()
  const said = { tenant: 'hooli', entitlement: word, occurredAt: at.toISOString(), reason: `word ${n}` }
  const body = JSON.stringify([said])
  const [id, seconds] = [`msg_${n}_${at.getTime()}`, String(Math.floor(at.getTime() / 1_000))]
  const signature = new Webhook(secret).sign(id, at, body)
  const headers = { ...json, 'webhook-id': id, 'webhook-timestamp': seconds, 'webhook-signature': signature }
  return (await ask(`${moorage.api}/v1/hooks/billing`, { method: 'POST', headers, body, timeoutMs })).status
}

/** Changes as fast as they are answered, several on their way at once; `last` is said when all the others are answered. */
async function flap(t: ExecutionContext, moorage: Moorage, count: number, last: Word): Promise<void> {
  const words: readonly Word[] = ['active', 'suspended', 'active', 'ended']
  let next = 0
  const lane = async () => {
    for (let n = next++; n < count - 1; n = next++) t.is(await say(moorage, words[n % 4] ?? 'active', n), 200)
  }
  await Promise.all(Array.from({ length: 6 }, lane))
  t.is(await say(moorage, last, count), 200)
}

/** What Fly has of the tenant: one machine on one volume, whatever was said in between. */
async function onFly(t: ExecutionContext, moorage: Moorage, { uid, status }: TenantAnswer) {
  const { machines, volumes } = await flyState(moorage.fly)
  const own = machines.filter(({ config, state }) => config.metadata['moorage_uid'] === uid && state !== 'destroyed')
  const [machine, ...others] = own
  t.deepEqual(others, [])
  t.deepEqual([machine?.id, machine?.config.mounts[0]?.volume], [status.machine?.id, status.volume?.id])
  t.is(volumes.filter(({ name }) => name === volumes.find(({ id }) => id === status.volume?.id)?.name).length, 1)
  return machine?.state
}

test('1,000 changes of one tenant’s entitlement: the machine ends as the last one says', (t) => {
  t.timeout(900_000)
  return withFolder(async (folder) => {
    const moorage = await startMoorage(folder, { MOORAGE_BILLING_WEBHOOK_SECRETS: secret })
    try {
      t.is((await put(moorage, 'hooli', { class: 'byok' })).status, 201)
      const before = await converged(moorage, 'hooli')

      await flap(t, moorage, 1_000, 'suspended')
      const suspended = await converged(moorage, 'hooli')
      t.is(suspended.status.effective, 'billing-suspended')
      t.is(await onFly(t, moorage, suspended), 'suspended')
      t.not((await visit(moorage, 'hooli')).status, 200)

      await flap(t, moorage, 200, 'active')
      const active = await converged(moorage, 'hooli')
      t.is(active.status.effective, 'running')
      t.is(await onFly(t, moorage, active), 'started')
      t.is((await visit(moorage, 'hooli')).headers['x-moorage-guest'], `${before.uid}/1`)
      // The same machine and volume all along, and a change for Fly only where there was time to make one.
      t.is(active.status.machine?.id, before.status.machine?.id)
      t.is(active.status.volume?.id, before.status.volume?.id)
      const { generation } = await tenant(moorage, 'hooli')
      t.true(generation > 600, String(generation))
      const { calls } = await flyState(moorage.fly)
      const power = (calls['machineSuspend'] ?? 0) + (calls['machineStart'] ?? 0) + (calls['machineStop'] ?? 0)
      t.true(power >= 2 && power < 400, JSON.stringify(calls))
      t.log(`generation ${generation}: ${power} suspends, stops and starts for 1,200 changes`)
    } finally {
      await moorage.end('SIGTERM')
    }
  })
})
