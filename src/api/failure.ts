// What a failure means for the caller: which Problem it is answered with.
import { MongoAPIError, MongoError, MongoNotConnectedError, MongoServerError, MongoTopologyClosedError } from 'mongodb'
import { Fault } from '../../specs/faults.ts'
import { Problem } from './problem.ts'

/** The codes by which a MongoDB server says that it steps down, stops or has lost its peers: the driver's retryable ones. */
const passingCodes = new Set<unknown>([6, 7, 64, 89, 91, 189, 262, 9001, 10_107, 11_600, 11_602, 13_435, 13_436])

/** Whether the database could not be asked. One that refuses what we sent, or a wrong call, is a defect of ours instead. */
function databaseLost(error: unknown): boolean {
  if (error instanceof MongoServerError) return passingCodes.has(error.code)
  if (error instanceof MongoNotConnectedError || error instanceof MongoTopologyClosedError) return true
  return error instanceof MongoError && !(error instanceof MongoAPIError)
}

/** Everything that serving a request may throw, as the Problem to answer with. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  const details = { headers: { 'Retry-After': '5' }, cause: error }
  if (databaseLost(error)) return new Problem(503, 'unavailable', 'The database cannot be reached.', details)
  if (error instanceof Fault) return new Problem(503, 'unavailable', error.message, details)
  if (error instanceof URIError)
    return new Problem(400, 'bad-request', 'The address cannot be decoded.', { cause: error })
  return new Problem(500, 'internal', 'The request could not be served; the log has the details.', { cause: error })
}
