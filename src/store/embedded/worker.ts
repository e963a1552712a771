// The worker thread: opens the store, listens, and says so to its parent; ends when it is told to.
import { rmSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { isLocked } from './database.ts'
import { type Paths, preparePaths, readOwner, removePaths, writeOwner } from './folder.ts'
import { listen } from './listener.ts'
import { openStore, type Store } from './store.ts'
import { startSweeps } from './ttl.ts'

/** What the parent gives. */
export interface WorkerSettings {
  readonly folder: string
  readonly oplogBytes: number
  readonly sweepMs: number
}

/** What the worker answers, once. A failure to start is an answer; any later one ends the thread. */
export type WorkerReport =
  { readonly kind: 'listening'; readonly socket: string } | { readonly kind: 'refused'; readonly message: string }

async function start(settings: WorkerSettings): Promise<{ socket: string; stop: () => Promise<void> }> {
  const paths = preparePaths(settings.folder)
  const store = openOrExplain(settings, paths)
  // The lock is ours, so a socket that is there was left by a process that died.
  rmSync(paths.socket, { force: true })
  writeOwner(paths.owner)
  const listener = await listen(store, paths.socket)
  const stopSweeps = startSweeps(store, settings.sweepMs)
  const stop = async () => {
    stopSweeps()
    await listener.close()
    store.close()
    removePaths(paths)
  }
  return { socket: paths.socket, stop }
}

function openOrExplain({ folder, oplogBytes }: WorkerSettings, { file, owner }: Paths): Store {
  try {
    return openStore({ file, oplogBytes, now: () => new Date() })
  } catch (error) {
    if (!isLocked(error)) throw error
    throw new Error(
      `The database folder ${folder} is in use by ${readOwner(owner)}. Two processes cannot share it: stop the other one, ` +
        'give this one another data folder, or set MONGODB_URI for both.',
      { cause: error },
    )
  }
}

const port = parentPort
if (port === null) throw new Error('worker.ts runs in a worker thread: call startEmbedded')
const report = (message: WorkerReport) => port.postMessage(message)

try {
  const { socket, stop } = await start(workerData as WorkerSettings)
  port.once('message', () => {
    void stop().then(() => port.close())
  })
  report({ kind: 'listening', socket })
} catch (error) {
  report({ kind: 'refused', message: error instanceof Error ? error.message : String(error) })
  port.close()
}
