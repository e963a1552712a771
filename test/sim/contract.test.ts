// Answers held against Fly's OpenAPI file, where the wire agrees with it; and the places where the wire does not.
import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { Ajv } from 'ajv'
import test from 'ava'
import { image, mounted, until, world } from './fixture.ts'

const file = resolve('../shared/fly/machines-api.openapi.json')

type Check = (name: string, value: unknown) => string | undefined

/** Fly's Go writes null where the file says that a field can be left out. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value).filter(([, field]) => field !== null)
  return Object.fromEntries(kept.map(([key, field]) => [key, withoutNulls(field)]))
}

/** Checks by the name of a schema; the answer says what is wrong. `nullable` and `example` are OpenAPI's own words. */
function loadSchemas(): Check {
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false })
  ajv.addSchema(JSON.parse(readFileSync(file, 'utf8')) as object, 'fly')
  return (name, value) => {
    const array = name.endsWith('[]')
    const $ref = `fly#/components/schemas/${array ? name.slice(0, -2) : name}`
    const validate = ajv.compile(array ? { type: 'array', items: { $ref } } : { $ref })
    return validate(withoutNulls(value)) ? undefined : ajv.errorsText(validate.errors)
  }
}

test('answers fit the schemas of the OpenAPI file', async (t) => {
  if (!existsSync(file)) {
    t.log('The OpenAPI file is not beside this repository: the answers were NOT held against it in this run.')
    t.pass()
    return
  }
  const check = loadSchemas()
  const { api } = await world(t)
  const checks = { alive: { type: 'http', port: 18789, interval: '15s', path: '/healthz' } }
  const { volume } = await mounted(api, 'checked')
  const made = await api('POST', '/apps/app/machines', { name: 'm', region: 'iad', config: { image, checks } })
  await until(api, made.body.id, 'started')
  await api('POST', `/apps/app/volumes/${volume.id}/snapshots`)
  const at = `/apps/app/machines/${made.body.id}`
  const extend = { size_gb: 9 }
  const answers: readonly (readonly [string, unknown])[] = [
    ['Machine', made.body],
    ['Machine', (await api('GET', at)).body],
    ['Machine[]', (await api('GET', '/apps/app/machines')).body],
    ['WaitMachineResponse', (await api('GET', `${at}/wait`)).body],
    ['flydv1.ExecResponse', (await api('POST', `${at}/exec`, { command: ['true'] })).body],
    ['ProcessStat[]', (await api('GET', `${at}/ps`)).body],
    ['MachineEvent[]', (await api('GET', `${at}/events`)).body],
    ['MachineVersion[]', (await api('GET', `${at}/versions`)).body],
    ['Lease', (await api('POST', `${at}/lease`)).body.data],
    ['Volume', volume],
    ['Volume[]', (await api('GET', '/apps/app/volumes')).body],
    ['ExtendVolumeResponse', (await api('PUT', `/apps/app/volumes/${volume.id}/extend`, extend)).body],
    ['VolumeSnapshot[]', (await api('GET', `/apps/app/volumes/${volume.id}/snapshots`)).body],
    ['OrgMachinesResponse', (await api('GET', '/orgs/personal/machines')).body],
    ['OrgVolumesResponse', (await api('GET', '/orgs/personal/volumes')).body],
    ['App', (await api('GET', '/apps/app')).body],
    ['ListAppsResponse', (await api('GET', '/apps?org_slug=personal')).body],
    ['CertificateDetail', (await api('POST', '/apps/app/certificates/acme', { hostname: 'a.b.com' })).body],
    ['CertificateDetail', (await api('GET', '/apps/app/certificates/a.b.com')).body],
    ['CertificateCheckResponse', (await api('POST', '/apps/app/certificates/a.b.com/check')).body],
    ['listCertificatesResponse', (await api('GET', '/apps/app/certificates')).body],
    ['IPAssignment', (await api('POST', '/apps/app/ip_assignments', { type: 'v6' })).body],
    ['listIPAssignmentsResponse', (await api('GET', '/apps/app/ip_assignments')).body],
    ['AppSecretsUpdateResp', (await api('POST', '/apps/app/secrets', { values: { A: 'b' } })).body],
    ['AppSecrets', (await api('GET', '/apps/app/secrets')).body],
    ['SetAppSecretResponse', (await api('POST', '/apps/app/secrets/B', { value: 'b' })).body],
    ['CurrentTokenResponse', (await api('GET', '/tokens/current')).body],
    ['ErrorResponse', (await api('GET', '/apps/app/machines/none')).body],
    ['ErrorResponse', (await api('POST', '/apps/app/machines', {})).body],
  ]
  for (const [name, answer] of answers) t.is(check(name, answer), undefined, `${name}: ${JSON.stringify(answer)}`)
  t.is(typeof check('Machine', { id: 7 }), 'string', 'the check itself finds what is wrong')
})

test('where the file and the wire disagree, the wire is followed', async (t) => {
  const { api } = await world(t)
  const made = await api('POST', '/apps', { app_name: 'by-its-other-name', org_slug: 'personal' })
  t.is(made.status, 201)
  const { body: machine } = await api('POST', '/apps/app/machines', { name: 'm', config: { image } })
  await until(api, machine.id, 'started')
  const at = `/apps/app/machines/${machine.id}`
  t.deepEqual(Object.keys((await api('POST', `${at}/lease`)).body).sort(), ['data', 'status'])
  t.true('Regions' in (await api('GET', '/platform/regions')).body)
  t.is((await api('GET', `${at}/wait?state=stopped&timeout=1`)).status, 408)
  t.is((await api('GET', `${at}/wait?version=${machine.instance_id}`)).status, 200)
  t.is((await api('POST', `${at}/exec`, { cmd: 'true' })).status, 200)
})
