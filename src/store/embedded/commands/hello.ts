// The commands with which a driver learns whom it talks to, and says goodbye to its sessions.
import type { Doc } from '../bson.ts'
import { type Request, sessionId } from '../command.ts'
import { checkCommand, listField } from '../options.ts'
import { sessionMinutes } from '../retries.ts'
import { maxMessageBytes } from '../wire.ts'

/** Wire version 21 is MongoDB 7.0: at 25 the driver would send the `bulkWrite` command. */
const maxWireVersion = 21
const version = '7.0.0'

/**
 * A replica set of one. The driver sends txnNumbers, and so retries writes, only to a member with `setName` and
 * `logicalSessionTimeoutMinutes`. Fields of the request (client, compression, ...) describe the driver; none is needed.
 */
export function hello({ store, body, connection }: Request): Doc {
  const { address } = connection
  const isLegacy = !Object.hasOwn(body, 'hello')
  return {
    helloOk: true,
    ...(isLegacy ? { ismaster: true } : { isWritablePrimary: true }),
    setName: 'moorage',
    setVersion: 1,
    secondary: false,
    hosts: [address],
    primary: address,
    me: address,
    maxBsonObjectSize: 16 * 1024 * 1024,
    maxMessageSizeBytes: maxMessageBytes,
    maxWriteBatchSize: 100_000,
    localTime: store.now(),
    logicalSessionTimeoutMinutes: sessionMinutes,
    connectionId: connection.id,
    minWireVersion: 0,
    maxWireVersion,
    readOnly: false,
  }
}

export function ping({ body }: Request): Doc {
  checkCommand('ping', body, [])
  return {}
}

export function buildInfo(): Doc {
  const versionArray = version.split('.').map(Number)
  return { version, versionArray: [...versionArray, 0], modules: [], storageEngines: ['moorage-embedded'], bits: 64 }
}

export function endSessions({ store, body }: Request): Doc {
  checkCommand('endSessions', body, [])
  for (const session of listField(body, 'endSessions').map(sessionId)) {
    store.cursors.killSession(session)
    store.retries.forget(Buffer.from(session, 'hex'))
  }
  return {}
}
