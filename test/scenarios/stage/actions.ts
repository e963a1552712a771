// Performs what a scenario says that somebody does: through the REST API, through Fly's API, or to the simulator itself.
import { isDeepStrictEqual } from 'node:util'
import type { Action } from './schema.ts'
import { app, type Reply, type Stage } from './stage.ts'

/** What a scenario has names for: its tenants, and ids that it kept. */
export interface Cast {
  /** The uid of each tenant by its name; a name used again leads to the newer one. */
  readonly uids: Map<string, string>
  readonly kept: Map<string, string>
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

const firstOf = ({ uids }: Cast): string => uids.keys().next().value ?? ''

async function fact(stage: Stage, cast: Cast, name: string, what: string): Promise<string | undefined> {
  const uid = cast.uids.get(name)
  const tenant = uid === undefined ? undefined : await stage.stores.tenants.get(uid)
  switch (what) {
    case 'uid':
      return uid
    case 'machine':
      return tenant?.status.machine?.id
    case 'volume':
      return tenant?.status.volume?.id
    default:
      return undefined
  }
}

/** What `machine`, `globex.volume` or a kept name stands for now; undefined when it stands for nothing. */
export async function idOf(stage: Stage, cast: Cast, name: string): Promise<string | undefined> {
  const [first = '', part] = name.split('.')
  const [owner, what] = part === undefined ? [firstOf(cast), first] : [first, part]
  return cast.kept.get(name) ?? fact(stage, cast, owner, what)
}

/** `$machine`, `$globex.volume`, or a kept id, in a text. */
async function filled(stage: Stage, cast: Cast, text: string): Promise<string> {
  let result = text
  for (const [whole, name = ''] of text.matchAll(/\$([a-z][a-z0-9]*(?:\.[a-z]+)?)/g)) {
    const value = await idOf(stage, cast, name)
    if (value === undefined) throw new Error(`nothing is known as ${whole}`)
    result = result.replace(whole, value)
  }
  return result
}

async function filledIn(stage: Stage, cast: Cast, value: Json): Promise<Json> {
  if (typeof value === 'string') return filled(stage, cast, value)
  if (Array.isArray(value)) return Promise.all(value.map((each: Json) => filledIn(stage, cast, each)))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(async ([key, each]) => [key, await filledIn(stage, cast, each)] as const)
  return Object.fromEntries(await Promise.all(entries))
}

/** What is there with `more` laid over it; null takes a field away. */
export function laidOver(base: unknown, more: unknown): unknown {
  const isPlain = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
  if (!isPlain(base) || !isPlain(more)) return more
  const merged = {
    ...base,
    ...Object.fromEntries(Object.entries(more).map(([key, value]) => [key, laidOver(base[key], value)])),
  }
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null))
}

function check(what: string, { status, body }: Reply, refused: string | undefined): void {
  const text = JSON.stringify(body)
  if (refused === undefined ? status < 300 : status >= 400 && `${status} ${text}`.includes(refused)) return
  throw new Error(`${what} was answered ${status} ${text}${refused === undefined ? '' : `, not with ${refused}`}`)
}

async function bySpec(stage: Stage, name: string, patch: unknown, refused: string | undefined): Promise<void> {
  const before = await stage.stores.tenants.byName(name)
  const spec = laidOver(before?.spec ?? {}, patch)
  if (before !== undefined && isDeepStrictEqual(spec, before.spec))
    throw new Error(`the spec of ${name} is that already`)
  const document = { kind: 'Tenant', name, labels: before?.labels ?? {}, spec }
  check(`PUT ${name}`, await stage.api('PUT', `/v1/tenants/${name}`, document), refused)
}

/** What is wanted of every tenant unless a scenario says otherwise: hours pass, and nobody is to fall asleep in them. */
const awake = { idle: { afterMinutes: 0 } }

export async function createTenant(stage: Stage, cast: Cast, name: string, spec: unknown): Promise<void> {
  await bySpec(stage, name, laidOver(awake, spec), undefined)
  const tenant = await stage.stores.tenants.byName(name)
  if (tenant === undefined) throw new Error(`${name} was not created`)
  cast.uids.delete(name)
  cast.uids.set(name, tenant.uid)
}

type Of<Key extends string> = Extract<Action, Readonly<Record<Key, unknown>>>

async function atFly(stage: Stage, cast: Cast, { fly, body, as, refused }: Of<'fly'>): Promise<void> {
  const [method = '', path = ''] = (await filled(stage, cast, fly)).split(' ')
  const whole = path.startsWith('/v1') || path.startsWith('/_sim') ? path : `/v1/apps/${app}${path}`
  const reply = await stage.fly(method, whole, body === undefined ? undefined : await filledIn(stage, cast, body))
  check(fly, reply, refused)
  if (as !== undefined) cast.kept.set(as, (reply.body as { id: string }).id)
}

async function byEdit(stage: Stage, cast: Cast, { edit, machine, launch }: Of<'edit'>): Promise<void> {
  const path = `/v1/apps/${app}/machines/${await filled(stage, cast, machine)}`
  const { config } = (await stage.fly('GET', path)).body as { config: unknown }
  const body = { config: laidOver(config, await filledIn(stage, cast, edit)), skip_launch: !launch }
  check(`an update of ${machine}`, await stage.fly('POST', path, body), undefined)
}

async function atApi(stage: Stage, cast: Cast, { api, body, refused }: Of<'api'>): Promise<void> {
  const [method = '', path = ''] = (await filled(stage, cast, api)).split(' ')
  check(api, await stage.api(method, path, body), refused)
}

/** What the proxy does for a request (src/routes.ts). */
async function visit({ stores, clock }: Stage, { uids }: Cast, name: string): Promise<void> {
  const uid = uids.get(name) ?? ''
  const route = (await stores.tenants.get(uid))?.status.route
  const sleeps = route?.kind === 'closed' && route.reason === 'asleep'
  await (sleeps ? stores.activity.wake(uid, clock.now()) : stores.activity.used(new Map([[uid, clock.now()]])))
}

function rollOut({ book }: Stage, { image, class: name }: Of<'image'>): void {
  const found = book.get(name)
  if (found === undefined) throw new Error(`there is no class ${name}`)
  const { spec, generation, revision } = found
  const next = { spec: { ...spec, image }, stable: image, generation: generation + 1, revision: revision + 1 }
  book.takeClass({ ...found, ...next })
}

/** Performs one action; an answer that the scenario does not expect is an error. */
export async function perform(stage: Stage, cast: Cast, action: Action): Promise<void> {
  const whose = ('tenant' in action ? action.tenant : undefined) ?? firstOf(cast)
  const names = whose === 'every' ? [...cast.uids.keys()] : [whose]
  for (const name of names) await performFor(stage, cast, action, name)
}

async function performFor(stage: Stage, cast: Cast, action: Action, name: string): Promise<void> {
  if ('create' in action) await createTenant(stage, cast, action.create, action.spec)
  else if ('spec' in action) await bySpec(stage, name, action.spec, action.refused)
  else if ('entitlement' in action)
    check(
      'the entitlement',
      await stage.api('PUT', `/v1/tenants/${name}/entitlement`, { state: action.entitlement }),
      action.refused,
    )
  else if ('retry' in action) check('retry', await stage.api('POST', `/v1/tenants/${name}/actions/retry`), undefined)
  else if ('visit' in action) await visit(stage, cast, name)
  else if ('api' in action) await atApi(stage, cast, action)
  else if ('fault' in action)
    check('the fault', await stage.fly('POST', '/_sim/faults', await filledIn(stage, cast, action.fault)), undefined)
  else if ('clear' in action) await stage.fly('DELETE', '/_sim/faults')
  else if ('fly' in action) await atFly(stage, cast, action)
  else if ('edit' in action) await byEdit(stage, cast, action)
  else if ('guest' in action) stage.guests.setMood(action.guest)
  else if ('advance' in action) await stage.until(() => false, action.advance)
  else if ('leap' in action) await stage.leap(action.leap)
  else if ('image' in action) rollOut(stage, action)
  else await stage.restart()
}
