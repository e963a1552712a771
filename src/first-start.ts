// What a first start finds: the classes that are shipped and, on the simulator, a few tenants to look at.
import type { Logger } from 'pino'
import type { Cloud } from '../reconciler/ports.ts'
import { hasDigest } from '../specs/fields.ts'
import { newTenant } from './api/new-tenant.ts'
import { openBook, seedClasses } from './class-book.ts'
import { readClasses, readExamples } from './classes.ts'
import { realClock } from './clock.ts'
import type { Config } from './config.ts'
import type { Stack } from './stack.ts'
import { classesIn } from './store/classes.ts'
import type { OpenStore } from './store/open.ts'
import { rolloutsIn } from './store/rollouts.ts'
import type { Tenants } from './store/tenants.ts'

/** A first start on the simulator begins with the examples; on the real Fly nothing is made that was not asked for. */
export async function applyExamples(
  tenants: Tenants,
  { config, cloud, print }: { readonly config: Config; readonly cloud: Cloud; readonly print: (text: string) => void },
): Promise<void> {
  if ((await tenants.uids()).length > 0) return
  const machines = (await cloud.appExists()) ? (await cloud.fleet()).machines.length : 0
  if (machines > 0) {
    print(
      `  The database has no tenants, but Fly has ${machines} machines of ours: "npm run moor adopt" takes them back.\n`,
    )
    return
  }
  const policy = { domain: config.domain, certificates: config.certificates }
  // Each real gateway takes a core for half a minute and 1.2 GB of memory: one is enough to begin with.
  const examples = readExamples().slice(0, config.guest === 'openclaw' ? 1 : undefined)
  for (const document of examples) await tenants.add(newTenant(document, { clock: realClock, policy }))
}

/** The classes as every process sees them; those that are shipped are there from the first start on. */
export async function openClasses({ db }: OpenStore, stack: Stack, log: Logger) {
  const stores = { classes: classesIn(db), rollouts: rolloutsIn(db) }
  await seedClasses(stores.classes, readClasses().values(), realClock)
  const opened = await openBook(stores, (error) => log.error({ err: error }, 'the classes could not be read again'))
  stack.add('classes', () => opened.close())
  for (const name of opened.book.names()) {
    const image = opened.book.get(name)?.stable ?? ''
    if (!hasDigest(image))
      log.warn({ class: name, image }, 'a class names its image by a tag, which can move: roll out one with a digest')
  }
  return { ...stores, book: opened.book }
}
