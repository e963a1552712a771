// Opens the database: the one that MONGODB_URI names, else the embedded one in the data folder.
import { MongoClient, type Db } from 'mongodb'
import { startEmbedded } from './embedded/server.ts'
import { applySchema } from './schema.ts'

export interface OpenStore {
  readonly db: Db
  /** Where it is, without credentials. */
  readonly address: string
  readonly embedded: boolean
  close(): Promise<void>
}

export interface StoreOptions {
  /** Undefined: embedded. */
  readonly uri: string | undefined
  /** The embedded database's folder. */
  readonly folder: string
  /** Is given the client before its first command, to count what it is asked. */
  readonly observe?: ((client: Pick<MongoClient, 'on'>) => void) | undefined
}

function withoutCredentials(uri: string): string {
  return uri.replace(/\/\/[^@/]*@/, '//')
}

/** Connects, applies the indexes, and fails with a sentence where the database cannot be reached in 10 s. */
export async function openStore({ uri, folder, observe }: StoreOptions): Promise<OpenStore> {
  const embedded = uri === undefined ? await startEmbedded({ folder }) : undefined
  const target = embedded?.uri ?? uri ?? ''
  const client = new MongoClient(target, {
    appName: 'moorage',
    ignoreUndefined: true,
    retryWrites: true,
    writeConcern: { w: 'majority' },
    readConcern: { level: 'majority' },
    serverSelectionTimeoutMS: 10_000,
    monitorCommands: observe !== undefined,
  })
  observe?.(client)
  const close = async () => {
    await client.close()
    await embedded?.close()
  }
  try {
    await client.connect()
    const db = client.db(embedded === undefined && new URL(target).pathname.length > 1 ? undefined : 'moorage')
    await applySchema(db)
    return { db, address: decodeURIComponent(withoutCredentials(target)), embedded: embedded !== undefined, close }
  } catch (error) {
    await close()
    throw new Error(`The database at ${withoutCredentials(target)} cannot be used.`, { cause: error })
  }
}
