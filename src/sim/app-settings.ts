// What hangs on an app besides machines: secrets (their digests only), addresses, and a token for deploys.
import { createHash } from 'node:crypto'
import * as z from 'zod'
import { type Answer, type Call, appOf, bodyOf, ok } from './call.ts'
import { invalid, notFound } from './errors.ts'
import { hex } from './ids.ts'
import { time } from './machine-wire.ts'
import type { AppRecord, IpRecord, SecretRecord } from './state.ts'
import { type World, bytesOf } from './world.ts'

const values = z.looseObject({ values: z.record(z.string(), z.string().nullable()) })
const value = z.looseObject({ value: z.string() })
const address = z.looseObject({
  type: z.enum(['v4', 'v6', 'shared_v4', 'private_v6', 'egress_v4', 'egress_v6', 'egress_pair']),
  region: z.string().optional(),
  service_name: z.string().optional(),
})

const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16)

const secretWire = (secret: SecretRecord): Record<string, unknown> => ({
  name: secret.name,
  digest: secret.digest,
  created_at: time(secret.createdAt),
  updated_at: time(secret.updatedAt),
})

/** Writes digests of the values; null removes a secret. The values themselves are not kept. */
function writeSecrets(world: World, app: AppRecord, changes: Readonly<Record<string, string | null>>): AppRecord {
  const now = world.clock.now()
  const kept = new Map(app.secrets.map((secret) => [secret.name, secret]))
  for (const [name, text] of Object.entries(changes)) {
    if (!/^[A-Za-z_]\w*$/.test(name))
      throw invalid(`secrets: "${name}" is not a name of letters, digits and underscores`)
    if (text === null) kept.delete(name)
    else kept.set(name, { name, digest: digest(text), createdAt: kept.get(name)?.createdAt ?? now, updatedAt: now })
  }
  const record = { ...app, secrets: [...kept.values()], secretsVersion: app.secretsVersion + 1 }
  world.store.save({ kind: 'app', record })
  return record
}

/** GET secrets, without values. */
export const listSecrets = (world: World, call: Call): Answer =>
  ok({ secrets: appOf(world, call).secrets.map(secretWire) })

/** POST several secrets. */
export function setSecrets(world: World, call: Call): Answer {
  const app = writeSecrets(world, appOf(world, call), bodyOf(call, values).values)
  return ok({ secrets: app.secrets.map(secretWire), version: app.secretsVersion, Version: app.secretsVersion })
}

function secretOf(app: AppRecord, call: Call): SecretRecord {
  const found = app.secrets.find((secret) => secret.name === call.params['secret'])
  if (found === undefined) throw notFound('secret')
  return found
}

/** GET one secret. */
export const getSecret = (world: World, call: Call): Answer => ok(secretWire(secretOf(appOf(world, call), call)))

/** POST one secret. */
export function setSecret(world: World, call: Call): Answer {
  const name = call.params['secret'] ?? ''
  const app = writeSecrets(world, appOf(world, call), { [name]: bodyOf(call, value).value })
  return { status: 201, body: { ...secretWire(secretOf(app, call)), version: app.secretsVersion } }
}

/** DELETE one secret. */
export function deleteSecret(world: World, call: Call): Answer {
  const app = appOf(world, call)
  const { name } = secretOf(app, call)
  return ok({ version: writeSecrets(world, app, { [name]: null }).secretsVersion })
}

const ipWire = (ip: IpRecord): Record<string, unknown> => ({
  ip: ip.ip,
  region: ip.region,
  created_at: time(ip.createdAt),
  shared: ip.shared,
  service_name: ip.serviceName,
})

/** GET addresses. */
export const listIps = (world: World, call: Call): Answer => ok({ ips: appOf(world, call).ips.map(ipWire) })

/** POST an address, out of the ranges that are reserved for documentation: nothing is reachable there. */
export function assignIp(world: World, call: Call): Answer {
  const app = appOf(world, call)
  const body = bodyOf(call, address)
  const [one = 0, two = 0] = world.clock.bytes(2)
  const four = `198.51.100.${1 + (one % 254)}`
  const six = `${body.type === 'private_v6' ? 'fdaa' : '2001:db8'}::${(one * 256 + two).toString(16)}`
  const record: IpRecord = {
    ip: body.type.endsWith('v4') ? four : six,
    region: body.region ?? 'global',
    createdAt: world.clock.now(),
    shared: body.type === 'shared_v4',
    serviceName: body.service_name ?? '',
  }
  world.store.save({ kind: 'app', record: { ...app, ips: [...app.ips, record] } })
  return ok(ipWire(record))
}

/** DELETE an address. */
export function releaseIp(world: World, call: Call): Answer {
  const app = appOf(world, call)
  const ips = app.ips.filter((each) => each.ip !== call.params['ip'])
  if (ips.length === app.ips.length) throw notFound('ip')
  world.store.save({ kind: 'app', record: { ...app, ips } })
  return { status: 204 }
}

/** POST deploy_token: a text in the right shape, which works because every token does. */
export function createDeployToken(world: World, call: Call): Answer {
  appOf(world, call)
  return ok({ token: `FlyV1 fm2_simulated${hex(bytesOf(world), 32)}` })
}
