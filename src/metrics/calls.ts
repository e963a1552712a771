// What Moorage asks of others: Fly's API and the database. Labels are the calls' own names, of which there are a few dozen.
import type { MongoClient } from 'mongodb'
import { Counter, Histogram, type Registry } from 'prom-client'
import type { CallRecord } from '../fly/transport.ts'

const flyBuckets = [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60]

/** Registers the metrics of Fly's API, and is then told of each call. */
export function flyMetrics(registry: Registry): (record: CallRecord) => void {
  const registers = [registry]
  const requests = new Counter({
    name: 'rest_client_requests_total',
    help: 'Answers of Fly’s API, by method and status; <error> where none came',
    labelNames: ['code', 'method'],
    registers,
  })
  const outcomes = new Counter({
    name: 'moorage_fly_requests_total',
    help: 'Calls of Fly’s API, by action and by what the call came to: ok, a kind of fault, or given-up',
    labelNames: ['action', 'outcome'],
    registers,
  })
  const seconds = new Histogram({
    name: 'moorage_fly_request_seconds',
    help: 'How long Fly’s API took to answer',
    labelNames: ['action'],
    buckets: flyBuckets,
    registers,
  })
  const waited = new Histogram({
    name: 'moorage_fly_wait_seconds',
    help: 'How long calls waited for their turn within Fly’s rate limits',
    buckets: [0.01, 0.1, 0.5, 1, 2.5, 5, 10, 20],
    registers,
  })
  return ({ call: action, method, status, fault, waitedMs, tookMs }) => {
    requests.inc({ code: status ?? '<error>', method })
    const unheard = status === undefined ? 'given-up' : 'ok'
    outcomes.inc({ action, outcome: fault ?? unheard })
    seconds.observe({ action }, tookMs / 1_000)
    waited.observe(waitedMs / 1_000)
  }
}

const storeBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** A change stream's getMore waits for news: its time says nothing about the database. */
const waitsByItself = new Set(['getMore'])

/** Registers the database's metrics, and is then given the client whose commands are counted. */
export function storeMetrics(registry: Registry): (client: Pick<MongoClient, 'on'>) => void {
  const registers = [registry]
  const commands = new Counter({
    name: 'moorage_store_commands_total',
    help: 'Commands to the database, by outcome',
    labelNames: ['command', 'outcome'],
    registers,
  })
  const seconds = new Histogram({
    name: 'moorage_store_command_seconds',
    help: 'How long the database took, where it was not asked to wait',
    labelNames: ['command'],
    buckets: storeBuckets,
    registers,
  })
  return (client) => {
    client.on('commandSucceeded', ({ commandName: command, duration }) => {
      commands.inc({ command, outcome: 'ok' })
      if (!waitsByItself.has(command)) seconds.observe({ command }, duration / 1_000)
    })
    client.on('commandFailed', ({ commandName: command }) => commands.inc({ command, outcome: 'failed' }))
  }
}
