// The embedded database: the MongoDB wire protocol over SQLite in a worker thread, for a machine without MONGODB_URI.
import { Worker } from 'node:worker_threads'
import type { WorkerReport, WorkerSettings } from './worker.ts'

export interface EmbeddedOptions {
  /** Holds the data and, where its path is short enough, the socket. Created with mode 0700. */
  readonly folder: string
  /** Bytes of change events to keep for streams that resume; older ones are trimmed. Default 64 MB. */
  readonly oplogBytes?: number
  /** Milliseconds between two sweeps for expired documents. Default 60,000, as mongod's. */
  readonly sweepMs?: number
}

export interface EmbeddedServer {
  /** For the official driver; names the database `moorage`. */
  readonly uri: string
  /** Rejects when the server breaks while it should run. Left alone, that ends the process: nothing works without it. */
  readonly failed: Promise<never>
  /** Ends connections, commits and gives the folder up. */
  close(): Promise<void>
}

const defaults = { oplogBytes: 64 * 1024 * 1024, sweepMs: 60_000 }

/** Starts the server and waits until it listens. Rejects when another process holds the folder, naming it. */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const settings: WorkerSettings = { ...defaults, ...options }
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: settings, name: 'embedded-store' })
  return supervise(worker)
}

/** The lifetime of a worker as promises: its first report, its failure, its end. */
export async function supervise(worker: Worker): Promise<EmbeddedServer> {
  const started = Promise.withResolvers<WorkerReport>()
  const failed = Promise.withResolvers<never>()
  const ended = Promise.withResolvers<undefined>()
  let isClosing = false
  let cause: unknown
  worker.once('message', (report: WorkerReport) => {
    isClosing = report.kind === 'refused'
    started.resolve(report)
  })
  worker.once('error', (error) => {
    cause = error
  })
  worker.once('exit', (code) => {
    const failure = new Error(`the embedded database ended by itself (exit code ${code})`, { cause })
    started.reject(failure)
    if (!isClosing) failed.reject(failure)
    ended.resolve(undefined)
  })

  const report = await started.promise.catch((error: unknown) => {
    isClosing = true
    failed.promise.catch(() => undefined)
    throw error
  })
  if (report.kind === 'refused') {
    await ended.promise
    throw new Error(report.message)
  }
  return {
    uri: `mongodb://${encodeURIComponent(report.socket)}/moorage?directConnection=true`,
    failed: failed.promise,
    close: async () => {
      if (!isClosing) worker.postMessage('close')
      isClosing = true
      await ended.promise
    },
  }
}
