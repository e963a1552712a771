// Secrets planted as canaries are searched for in everything that Moorage says and keeps: output, log, answers, events, metrics,
// files, and the database as it lies there. What may hold one is listed here, and nothing else may.
import test from 'ava'
import { api, ask, converged, flyState, put } from '../helpers/client.ts'
import { dump, filesBelow } from './canaries.ts'
import { startFly, startMoorage, until, withFolder, type Moorage } from '../helpers/processes.ts'

const master = 'canary-master-key-0123456789abcdefghijklmno'
const flyToken = 'canary-fly-token'
/** The tenant's own key for a provider of models, as people put it into their configuration. */
const own = 'canary-own-model-key'
const sent = 'canary-sent-by-somebody'

const json = { 'content-type': 'application/json' }
const paths = [
  ...['/livez', '/readyz', '/readyz?verbose', '/metrics', '/.well-known/jwks.json', '/v1/schemas', '/v1/classes'],
  ...['/v1/fleet', '/v1/rollouts', '/v1/orphans', '/v1/events', '/v1/tenants', '/v1/tenants/hooli/why'],
  ...['/v1/tenants/hooli/plan', '/v1/tenants/hooli/diff', '/v1/tenants/hooli/events', '/v1/tenants/hooli/timeline'],
]
/** These show the wish as it was written, to whoever may read tenants. */
const showTheWish = ['/v1/tenants/hooli', '/v1/tenants', '/v1/tenants/hooli/diff', '/v1/tenants/hooli/plan']

/** What people get wrong, with secrets in every place where they do not belong. */
async function wrongRequests(moorage: Moorage): Promise<string[]> {
  const target = `${moorage.api}/v1/tenants/hooli`
  const authorization = `Bearer ${moorage.token}`
  const answers = await Promise.all([
    ask(target, { headers: { authorization: `Bearer ${sent}` } }),
    ask(`${target}?token=${sent}`, { headers: { authorization } }),
    ask(target, { method: 'PUT', headers: { ...json, authorization }, body: `{"kind":"Tenant","name":"${sent}` }),
    ask(target, { method: 'PUT', headers: { ...json, authorization, cookie: sent }, body: JSON.stringify({ kind: 'Tenant', name: 'hooli', spec: { class: 'byok', region: { at: sent } } }) }), // prettier-ignore
    ask(`${moorage.api}/v1/hooks/${sent.length}`, { method: 'POST', headers: { authorization: sent } }),
  ])
  return answers.map(({ text }) => text)
}

test('no secret is said or kept but where it has to be', (t) => {
  t.timeout(300_000)
  return withFolder((flyFolder) =>
    withFolder(async (folder) => {
      const fly = await startFly(flyFolder)
      const moorage = await startMoorage(folder, {
        ...{ FLY_API_TOKEN: flyToken, FLY_FLAPS_BASE_URL: fly.url, FLY_APP: 'secrets', MOORAGE_SIM_SCALE: '0.02' },
        ...{ MOORAGE_MASTER_KEY: master, MOORAGE_LOG_LEVEL: 'trace', MOORAGE_RESYNC_CRON: '* * * * * *' },
      })
      const answers: { path: string; text: string }[] = []
      try {
        const config = { models: { providers: { mine: { apiKey: own } } } }
        t.is((await put(moorage, 'hooli', { class: 'standard', config })).status, 201)
        const { uid } = await converged(moorage, 'hooli')
        // A change of the configuration, a Fly that says too much, and what people get wrong.
        await put(moorage, 'hooli', { class: 'standard', config, update: 'immediate', guest: { memoryMb: 4096 } })
        const loud = { kind: 'status', status: 500, body: { error: `token ${flyToken} is not what I like` }, count: 3 }
        t.is((await ask(`${fly.url}/_sim/faults`, { method: 'POST', headers: json, body: JSON.stringify(loud) })).status, 201) // prettier-ignore
        for (const text of await wrongRequests(moorage)) answers.push({ path: 'wrong requests', text })
        await until('it is settled after all', 60_000, () => converged(moorage, 'hooli'))
        for (const path of [...paths, '/v1/tenants/hooli'])
          answers.push({ path, text: (await api(moorage, path)).text })

        const { machines } = await flyState(fly.url)
        const machine = machines.find(({ config: { metadata } }) => metadata['moorage_uid'] === uid)
        const guest = ['OPENCLAW_GATEWAY_TOKEN', 'MOORAGE_BRIDGE_KEY', 'KIWICLAW_PROXY_TOKEN'].map(
          (name) => machine?.config.env[name] ?? t.fail(`${name} is not set`),
        )
        await moorage.end('SIGTERM')

        const secrets = [master, flyToken, sent, moorage.token, ...guest]
        const database = await dump(folder)
        t.true((database.get('events')?.length ?? 0) > 200)
        const said = [
          ...answers.map(({ path, text }) => ({ where: `the answer of ${path}`, text })),
          ...[...database].map(([name, text]) => ({ where: `the collection ${name}`, text })),
          { where: 'the output and the log', text: moorage.output() },
        ]
        t.true(moorage.output().length > 2_000)
        for (const { where, text } of said)
          for (const secret of secrets) t.false(text.includes(secret), `${secret.slice(0, 16)} is in ${where}`)

        // Files: the admin's token lies in its own, readable for its owner alone; the database's files hold the wishes.
        for (const { name, text } of await filesBelow(folder))
          for (const secret of secrets)
            t.is(text.includes(secret), name === 'admin-token' && secret === moorage.token, `${name}: ${secret.slice(0, 16)}`) // prettier-ignore

        // A tenant's own keys in its configuration are part of the wish: kept and shown as such, and nowhere else.
        const wishes = said.filter(({ text }) => text.includes(own)).map(({ where }) => where)
        const may = [...showTheWish.map((path) => `the answer of ${path}`), 'the collection tenants']
        t.deepEqual(wishes.filter((where) => !may.includes(where)), []) // prettier-ignore
        t.log(`the tenant's own key is in ${wishes.join(', ')}`)
      } finally {
        await moorage.end('SIGTERM')
        await fly.end('SIGTERM')
      }
    }),
  )
})
