// The proxy's routes in a small file of the data folder, so that it can start and serve while the store is away.
import { readFileSync, statSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { z } from 'zod'
import type { Clock } from '../specs/clock.ts'
import type { TenantRoute } from '../specs/route.ts'

/** Changes within this time are written together. */
const gatherMs = 1_000
/** When a write that failed is tried again. */
const againMs = 30_000

const route = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('forward'),
    machine: z.string(),
    incarnation: z.int(),
    address: z.union([z.ipv4(), z.ipv6()]),
    port: z.int().min(1).max(65_535),
  }),
  z.strictObject({
    kind: z.literal('closed'),
    reason: z.enum(['provisioning', 'asleep', 'waking', 'suspended', 'billing', 'deleting', 'failed']),
  }),
])

const document = z.strictObject({
  /** Another version is not read: the store has everything. */
  version: z.literal(1),
  routes: z.array(
    z.strictObject({ uid: z.string(), name: z.string(), hosts: z.array(z.string()), route, revision: z.int() }),
  ),
})

/** Thrown where a file is there and is not a list of routes that this version wrote. */
export class RouteFileError extends Error {
  override readonly name = 'RouteFileError'
}

/**
 * Reads the kept routes; undefined when there are none yet.
 *
 * @throws {RouteFileError} the sentence names the file, never what is in it
 */
export function readRoutes(path: string): readonly TenantRoute[] | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new RouteFileError(`The routes in ${path} cannot be read.`, { cause: error })
  }
  try {
    return document.parse(JSON.parse(text)).routes
  } catch (error) {
    throw new RouteFileError(`${path} is not a file of routes that this version wrote.`, { cause: error })
  }
}

/** When the file was last written, in epoch milliseconds; undefined when there is none. */
export function writtenAt(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs
}

/** Written whole beside the file, flushed, and renamed into its place: a crash leaves the former file or this one. */
async function write(path: string, routes: readonly TenantRoute[]): Promise<void> {
  const draft = `${path}.${process.pid}`
  const file = await open(draft, 'w', 0o600)
  try {
    await file.writeFile(`${JSON.stringify({ version: 1, routes })}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(draft, path)
}

export interface RouteWriterOptions {
  readonly path: string
  readonly clock: Pick<Clock, 'after'>
  /** What is to be written, asked at the time of writing. */
  readonly routes: () => readonly TenantRoute[]
  /** Hears of a write that did not work; it is tried again. */
  readonly failed: (error: unknown) => void
}

/** Writes the routes a moment after they changed; one write at a time. */
export class RouteWriter {
  readonly #options: RouteWriterOptions
  #cancel: (() => void) | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(options: RouteWriterOptions) {
    this.#options = options
  }

  changed(): void {
    this.#cancel ??= this.#after(gatherMs)
  }

  /** Writes what has changed since, and ends. */
  async close(): Promise<void> {
    if (this.#cancel !== undefined) this.#flush()
    await this.#writing
    this.#cancel?.()
  }

  #after(ms: number): () => void {
    return this.#options.clock.after(ms, () => this.#flush())
  }

  #flush(): void {
    const { path, routes, failed } = this.#options
    this.#cancel?.()
    this.#cancel = undefined
    this.#writing = this.#writing
      .then(() => write(path, routes()))
      .catch((error: unknown) => {
        failed(error)
        this.#cancel ??= this.#after(againMs)
      })
  }
}
