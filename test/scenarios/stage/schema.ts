// The form of a scenario file. Unknown keys are errors, so that a misspelt expectation cannot pass for one that holds.
import { z } from 'zod'

const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const durationText = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/

/** Milliseconds of `90s`, `5m`, `14d`; undefined for what is no duration. */
export function readDuration(text: string): number | undefined {
  const [, amount, unit] = durationText.exec(text) ?? []
  return amount === undefined ? undefined : Number(amount) * units[unit as keyof typeof units]
}

const duration = z.string().transform((text, context) => {
  const ms = readDuration(text)
  if (ms !== undefined) return ms
  context.addIssue({ code: 'custom', message: 'must be a duration such as 90s, 5m or 14d' })
  return z.NEVER
})

const json = z.record(z.string(), z.json())
const specPatch = z.record(z.string(), z.json())
const entitlement = z.enum(['active', 'suspended', 'ended'])
/** The first tenant unless set; `every`: all that there are. */
const whose = { tenant: z.string().optional() }
const refused = { refused: z.string().optional() }

const mood = z
  .strictObject({
    gateway: z.enum(['well', 'unreachable', 'starting', 'mismatch']),
    installExits: z.array(z.int()),
    renewExits: z.array(z.int()),
    busy: z.string(),
    jobIn: duration,
    channels: z.array(z.string()),
    tellExits: z.array(z.int()),
  })
  .partial()

/** What somebody does: the tenant's owner, billing, a person at Fly's API, or bad luck. */
const action = z.union([
  /** Fields of the spec, laid over those that are there; null takes one away. */
  z.strictObject({ spec: specPatch, ...whose, ...refused }),
  z.strictObject({ entitlement, ...whose, ...refused }),
  z.strictObject({ create: z.string(), spec: specPatch.default({}) }),
  z.strictObject({ retry: z.literal(true), ...whose }),
  /** Somebody uses the tenant through the proxy, which wakes one that sleeps. */
  z.strictObject({ visit: z.literal(true), ...whose }),
  /** Any call of the REST API: `POST /v1/tenants/acme/actions/retry`. */
  z.strictObject({ api: z.string(), body: z.json().optional(), ...refused }),
  /** The body of POST /_sim/faults. */
  z.strictObject({ fault: json }),
  z.strictObject({ clear: z.literal('faults') }),
  /** Any call of Fly's, below /v1/apps/<app>: `POST /machines/$machine/stop`. The id of its answer is kept under `as`. */
  z.strictObject({ fly: z.string(), body: z.json().optional(), as: z.string().optional(), ...refused, ...whose }),
  /** A machine's configuration changed by hand: what is there, with this laid over it. */
  z.strictObject({ edit: json, machine: z.string().default('$machine'), launch: z.boolean().default(true), ...whose }),
  z.strictObject({ guest: mood }),
  z.strictObject({ advance: duration }),
  /** Time goes on while nobody looks, as when a laptop sleeps: timers on the way fire once, late. */
  z.strictObject({ leap: duration }),
  z.strictObject({ restart: z.literal('controller') }),
  /** A class has another image, as after a whole rollout. */
  z.strictObject({ image: z.string(), class: z.string().default('standard') }),
])

/** `True Running`, `absent`, or with more about it. */
const condition = z.union([
  z.string(),
  z.strictObject({
    is: z.string(),
    /** Part of the sentence. */
    says: z.string().optional(),
    nextTryWithin: duration.optional(),
    nextTry: z.literal('never').optional(),
  }),
])

/** A count, or `<= 3`. */
const amount = z.union([z.int(), z.string().regex(/^<= \d+$/)])

const fact = z.enum(['machine', 'volume', 'version', 'address', 'boots', 'installs'])

const tenantExpectation = {
  conditions: z.record(z.string(), condition).optional(),
  /** Part of the status; null means not there. */
  status: json.optional(),
  /** The tenant is purged: no document but its tombstone. */
  purged: z.boolean().optional(),
  /** As it was before the phase, or not. */
  same: z.array(fact).optional(),
  fresh: z.array(fact).optional(),
  /** What the last cold boot met on the volume: the tenant's own data, or nothing. */
  data: z.enum(['own', 'none']).optional(),
  boots: z.int().optional(),
  installs: z.int().optional(),
  /** How many tokens for the LLM proxy the gateway was given as it ran. */
  tokens: z.int().optional(),
  /** Part of the sentence that says why the tenant is as it is. */
  why: z.string().optional(),
}

/** Live objects in the order of their making: each by its state, or by part of what Fly shows of it. */
const objects = z.array(z.union([z.string(), json]))

const expectation = z.strictObject({
  trace: z.array(z.string()).optional(),
  world: z
    .strictObject({
      machines: z.union([objects, z.record(z.string(), z.int())]).optional(),
      volumes: objects.optional(),
      certificates: objects.optional(),
      snapshots: objects.optional(),
    })
    .optional(),
  /** Changes that reached Fly in this phase, by the simulator's count: what is not named did not happen. */
  calls: z.record(z.string(), amount).optional(),
  /** Calls that only looked. */
  reads: amount.optional(),
  /** Part of the status of each pool, as the REST API has it. */
  pools: z.record(z.string(), json).optional(),
  ...tenantExpectation,
  tenants: z.record(z.string(), z.strictObject(tenantExpectation)).optional(),
  every: z.strictObject(tenantExpectation).optional(),
})

const phase = z.strictObject({
  note: z.string().optional(),
  when: z.array(action).default([]),
  /** `rests`, a duration, or a line of the trace. */
  until: z.string().default('rests'),
  limit: duration.default(units.h * 2),
  expect: expectation.optional(),
})

export const scenarioFile = z.strictObject({
  name: z.string(),
  why: z.string(),
  /** What of Moorage is known not to be so yet: the scenario is expected to fail. */
  defect: z.string().optional(),
  /** Why the order of its steps is nobody's promise: then the trace is not compared. */
  untraced: z.string().optional(),
  /** Rows of the fault table in src/fly/errors.ts, as `rowName` writes them. */
  covers: z.array(z.string()).default([]),
  given: z
    .strictObject({
      spec: specPatch.default({}),
      /** Names of the tenants, or how many (t01, t02, ...); each gets the spec. */
      tenants: z.union([z.array(z.string()), z.int().min(1).max(99)]).default(['acme']),
      /** Tenants are there, running and at rest before the first phase. */
      converged: z.boolean().default(false),
      app: z.enum(['present', 'absent']).default('present'),
      /** The process's own mode. */
      mode: z.enum(['normal', 'observe-only']).default('normal'),
      resyncEvery: duration.default(60_000),
      settings: z.record(z.string(), z.union([z.number(), z.string()])).default({}),
    })
    .prefault({}),
  /** What the invariants are to put up with here. */
  allow: z.strictObject({ machines: z.int().default(1), volumes: z.int().default(1) }).prefault({}),
  /** Volumes and foreign machines that the scenario itself destroys, by the names that actions have for them. */
  excuse: z.array(z.string()).default([]),
  phases: z.array(phase).min(1),
})

export type Scenario = z.infer<typeof scenarioFile>
export type Phase = Scenario['phases'][number]
export type Action = Phase['when'][number]
export type Expectation = NonNullable<Phase['expect']>
export type TenantExpectation = z.infer<z.ZodObject<typeof tenantExpectation>>
export type Fact = z.infer<typeof fact>
