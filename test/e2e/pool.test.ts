// A pool as a user meets it: machines stand ready, a new tenant has one at once, and Fly alone tells whose it is.
import test from 'ava'
import { api, flyState, put, tenant, visit } from '../helpers/client.ts'
import { startMoorage, until, withFolder, type Moorage } from '../helpers/processes.ts'

interface PoolAnswer {
  readonly status: { readonly warm: number; readonly making: number; readonly lastDay: { warm: number; cold: number } }
}

async function pool(moorage: Moorage, name: string): Promise<PoolAnswer> {
  const answer = await api(moorage, `/v1/pools/${name}`)
  return answer.json() as unknown as PoolAnswer
}

function putPool(moorage: Moorage, name: string, spec: object) {
  const body = JSON.stringify({ kind: 'Pool', name, spec: { region: 'iad', class: 'standard', ...spec } })
  return api(moorage, `/v1/pools/${name}`, { method: 'PUT', body, headers: { 'content-type': 'application/json' } })
}

const warm = (moorage: Moorage, name: string, count: number) =>
  until(`${count} stand ready in ${name}`, 240_000, async () =>
    (await pool(moorage, name)).status.warm === count ? true : undefined,
  )

const answers = (moorage: Moorage, name: string) =>
  until(`${name} answers`, 120_000, async () => {
    const answer = await visit(moorage, name)
    return answer.status === 200 ? answer : undefined
  })

for (const tier of ['running', 'suspended'] as const)
  test(`a new tenant takes a ${tier} machine that stands ready`, async (t) => {
    await withFolder(async (folder) => {
      const moorage = await startMoorage(folder, { MOORAGE_RESYNC_CRON: '* * * * * *' })
      try {
        const made = await putPool(moorage, 'warm', { min: 1, max: 2, tier })
        t.is(made.status, 201, made.text)
        await warm(moorage, 'warm', 1)
        const ready = await flyState(moorage.fly)
        const member = ready.machines.find(({ config }) => config.metadata['moorage_form'] === 'pool')
        if (member === undefined) throw new Error('there is no member on Fly')
        t.is(member.state, tier === 'running' ? 'started' : 'suspended')
        t.is(member.config.env['KIWICLAW_PROXY_TOKEN'], undefined, 'it has a token before it has an owner')
        t.is((await api(moorage, `/v1/tenants/${member.config.metadata['moorage_tenant'] ?? ''}`)).status, 404)

        const created = await put(moorage, 'hooli', { region: 'iad', class: 'standard' })
        t.is(created.status, 201)
        const answer = await answers(moorage, 'hooli')
        const { uid, status } = await tenant(moorage, 'hooli')
        t.is(status.machine?.id, member.id)
        t.is(answer.headers['x-moorage-guest'], `${uid}/1`)

        const after = await flyState(moorage.fly)
        const mine = after.machines.find(({ id }) => id === member.id)?.config.metadata
        t.is(mine?.['moorage_tenant'], 'hooli')
        t.regex(mine?.['moorage_claim'] ?? '', / warm$/)
        t.is(after.calls['machineUpdate'] ?? 0, ready.calls['machineUpdate'] ?? 0, 'it was updated')
        // Another stands in its place.
        await warm(moorage, 'warm', 1)
        t.deepEqual((await pool(moorage, 'warm')).status.lastDay, { warm: 1, cold: 0 })

        t.is((await api(moorage, '/v1/pools/warm', { method: 'DELETE' })).status, 204)
        await until('what nobody claimed is gone', 120_000, async () => {
          const { volumes } = await flyState(moorage.fly)
          const kept = volumes.filter(({ state }) => state === 'created').map(({ name }) => name)
          return kept.filter((name) => name.includes(uid)).length === 1 && kept.length === 4 ? true : undefined
        })
        t.is((await visit(moorage, 'hooli')).status, 200)
      } finally {
        await moorage.end('SIGTERM')
      }
    })
  })
