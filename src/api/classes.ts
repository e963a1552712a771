// The operations of classes: read, replace, remove. A new image of a class becomes a rollout, in the same write.
import type { Context } from 'koa'
import { z } from 'zod'
import { changedClass, newClass } from '../../reconciler/rollout/class-change.ts'
import { begun } from '../../reconciler/rollout/transitions.ts'
import { classDocument, type ClassDocument, type StoredClass } from '../../specs/class.ts'
import { hasDigest } from '../../specs/fields.ts'
import { newUid } from '../../specs/names.ts'
import { document } from './body.ts'
import { checkPreconditions, etagOf, notModified, preconditions } from './etag.ts'
import { mergePatch, patched } from './merge-patch.ts'
import { empty, json, operation, type Operation } from './operation.ts'
import { answerList, classColumns, listAnswer, outputField } from './print.ts'
import { Problem, refused } from './problem.ts'
import { checkName } from './rules.ts'
import type { ApiOptions } from './server.ts'
import { instant } from './view.ts'
import { settled, type Outcome, type Preconditions } from './writes.ts'

export const classInput = classDocument.meta({ id: 'ClassDocument' })

export const classShape = z
  .strictObject({
    kind: z.literal('Class'),
    name: z.string(),
    spec: classDocument.shape.spec,
    status: z.strictObject({ image: z.string(), rollout: z.string().optional() }),
    generation: z.int(),
    revision: z.int(),
    createdAt: instant,
  })
  .meta({ id: 'Class' })

export type ClassView = z.infer<typeof classShape>

const iso = (instant: number) => new Date(instant).toISOString()

/** A class as the API shows it: `spec` is what is wanted, `status` how far its image has come. */
export function classView({ kind, name, spec, stable, rollout, ...rest }: StoredClass): z.infer<typeof classShape> {
  const { generation, revision, createdAt } = rest
  const status = { image: stable, ...(rollout === undefined ? {} : { rollout: rollout.id }) }
  return { kind, name, spec, status, generation, revision, createdAt: iso(createdAt) }
}

function unknownClass(name: string): Problem {
  return new Problem(404, 'not-found', `There is no class named ${name}.`)
}

/** An image that comes over REST names its content, unless it is what the tenants have had all along. */
function checkImage(spec: ClassDocument['spec'], before: StoredClass | undefined): void {
  const { image } = spec
  if (hasDigest(image) || image === before?.spec.image || image === before?.stable) return
  const detail =
    'must carry a digest (@sha256: and 64 hex digits): a tag can be moved to another image, and then the tenants of one class run different ones and none can be rolled back'
  throw refused([{ code: 'invalid', path: 'spec.image', detail }])
}

const uidFrom = ({ clock }: ApiOptions) => newUid((length) => clock.bytes(length))

export interface Written extends Outcome {
  readonly found: StoredClass
}

async function replaced(
  options: ApiOptions,
  before: StoredClass,
  wanted: ClassDocument,
): Promise<StoredClass | undefined> {
  const { classStore, rollouts, classes, clock } = options
  const rollout = before.rollout && (await rollouts.read(before.rollout.id))
  const id = `${before.name}-${uidFrom(options)}`
  const next = changedClass(before, { spec: wanted.spec, rollout, id, now: clock.now() })
  if (next === before) return before
  const saved = await classStore.save(next)
  if (saved === undefined) return undefined
  classes.takeClass(saved)
  // The class says it all already; a crash before this write leaves it to the reconciler's next look.
  const first = saved.rollout?.id === id ? begun(saved) : undefined
  if (first !== undefined) classes.takeRollout(await rollouts.begin(first))
  return saved
}

/** One try; undefined when somebody else wrote first. */
async function tryPut(options: ApiOptions, wanted: ClassDocument, when: Preconditions): Promise<Written | undefined> {
  const { classStore, classes, clock } = options
  const before = await classStore.read(wanted.name)
  checkPreconditions(when, before, 'class')
  checkImage(wanted.spec, before)
  if (before !== undefined) {
    const found = await replaced(options, before, wanted)
    return found && { found, created: false, changed: found !== before }
  }
  const found = newClass(wanted, uidFrom(options), clock.now())
  if (!(await classStore.add(found))) return undefined
  classes.takeClass(found)
  return { found, created: true, changed: true }
}

/** One try; undefined when somebody else wrote first. */
async function tryPatch(
  options: ApiOptions,
  name: string,
  patch: Readonly<Record<string, unknown>>,
  when: Preconditions,
): Promise<StoredClass | undefined> {
  const before = await options.classStore.read(name)
  if (before === undefined) throw unknownClass(name)
  checkPreconditions(when, before, 'class')
  const wanted = patched(classDocument, { kind: before.kind, name, spec: before.spec }, patch)
  checkName(name, wanted.name)
  checkImage(wanted.spec, before)
  return replaced(options, before, wanted)
}

/** Creates or replaces a class; a new image starts a rollout. Throws a Problem. */
export function applyClass(options: ApiOptions, wanted: ClassDocument, when: Preconditions): Promise<Written> {
  return settled(() => tryPut(options, wanted, when), 'class')
}

async function tryRemove(options: ApiOptions, name: string, when: Preconditions): Promise<true | undefined> {
  const { classStore, classes, tenants } = options
  const before = await classStore.read(name)
  if (before === undefined) throw unknownClass(name)
  checkPreconditions(when, before, 'class')
  const users = await tenants.countOfClass(name)
  if (users > 0)
    throw new Problem(409, 'in-use', `${users} tenants are of the class ${name}: give them another class first.`, {
      extra: { tenants: users },
    })
  if (!(await classStore.remove(before))) return undefined
  classes.dropClass(name)
  return true
}

function answer(context: Context, found: StoredClass, status = 200): void {
  context.status = status
  context.set('ETag', etagOf(found))
  context.body = classView(found)
}

const readers = { method: 'get', tag: 'classes', roles: ['admin', 'billing', 'viewer'], limited: true } as const
const tagged = (description: string) => json(classShape, { description, headers: ['ETag'] })

function reads({ classStore, clock }: ApiOptions): readonly Operation[] {
  return [
    operation({
      ...readers,
      ...{ id: 'listClasses', path: '/v1/classes', summary: 'The classes.' },
      query: z.strictObject({ output: outputField }),
      answers: { 200: listAnswer(classShape) },
      handle: async ({ context, query: { output } }) => {
        const items = await classStore.all()
        const shown = { output, columns: classColumns, view: classView, now: clock.now() }
        answerList(context, { items, nameOf: ({ name }) => name, ...shown })
      },
    }),
    operation({
      ...readers,
      ...{ id: 'getClass', path: '/v1/classes/{name}', summary: 'One class, and how far its image has come.' },
      conditional: true,
      answers: { 200: tagged('The class.'), 304: empty('The reader has it already.') },
      problems: [404],
      handle: async ({ context, params: { name } }) => {
        const found = await classStore.read(name)
        if (found === undefined) throw unknownClass(name)
        answer(context, found)
        if (notModified(context.get('if-none-match'), found)) context.status = 304
      },
    }),
  ]
}

/** The operations under /v1/classes. */
export function classOperations(options: ApiOptions): readonly Operation[] {
  return [
    ...reads(options),
    operation({
      ...{ id: 'putClass', method: 'put', path: '/v1/classes/{name}', tag: 'classes', roles: ['admin'] },
      summary: 'Creates or replaces a class; a new image is rolled out.',
      body: document(classInput),
      conditional: true,
      answers: {
        200: tagged('It is so.'),
        201: json(classShape, { description: 'It was created.', headers: ['ETag', 'Location'] }),
      },
      problems: [409],
      handle: async ({ context, params: { name }, body }) => {
        checkName(name, body.name)
        const { found, created } = await applyClass(options, body, preconditions(context))
        if (created) context.set('Location', `/v1/classes/${found.name}`)
        answer(context, found, created ? 201 : 200)
      },
    }),
    operation({
      ...{ id: 'patchClass', method: 'patch', path: '/v1/classes/{name}', tag: 'classes', roles: ['admin'] },
      summary: 'Changes single fields of a class (RFC 7396); a new image is rolled out.',
      body: mergePatch,
      conditional: true,
      answers: { 200: tagged('It is so.') },
      problems: [404, 409],
      handle: async ({ context, params: { name }, body }) => {
        answer(context, await settled(() => tryPatch(options, name, body, preconditions(context)), 'class'))
      },
    }),
    operation({
      ...{ id: 'deleteClass', method: 'delete', path: '/v1/classes/{name}', tag: 'classes', roles: ['admin'] },
      summary: 'Removes a class that no tenant uses.',
      conditional: true,
      answers: { 204: empty('It is gone.') },
      problems: [404, 409],
      handle: async ({ context, params: { name } }) => {
        await settled(() => tryRemove(options, name, preconditions(context)), 'class')
        context.status = 204
      },
    }),
  ]
}
