// A database for one test file: the embedded server on a folder of its own, which goes when the test is done.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EmbeddedOptions, startEmbedded } from '../../src/store/embedded/server.ts'

export interface TestMongo {
  readonly uri: string
  /** Stops the server and removes its folder. */
  close(): Promise<void>
}

/** Starts an embedded server on a new temporary folder; options such as a short sweep are for tests of the store itself. */
export async function startTestMongo(options: Partial<EmbeddedOptions> = {}): Promise<TestMongo> {
  const folder = await mkdtemp(join(tmpdir(), 'moorage-test-'))
  const server = await startEmbedded({ folder: join(folder, 'db'), ...options })
  return {
    uri: server.uri,
    close: async () => {
      await server.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
