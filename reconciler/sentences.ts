// Sentences: what `why` found, as it is printed everywhere. Pure.
import { findCondition } from '../specs/conditions.ts'
import type { Instant } from '../specs/clock.ts'
import type { Tenant } from '../specs/tenant.ts'
import { isStep, type Cause } from './cause.ts'
import type { WhyLink } from './chain.ts'
import type { Forecast } from './forecast.ts'
import type { WhyAction } from './help.ts'
import { reasonWords } from './reasons.ts'
import { stepWords } from './step.ts'
import { spanText, timeText } from './times.ts'

interface Telling {
  readonly tenant: Tenant
  readonly now: Instant
  readonly phase: string
  readonly wanted: string
  readonly desired: { readonly because: string }
  readonly forecast: Forecast | undefined
  readonly actions: readonly WhyAction[]
}

const ended = (text: string) => (/[.!?]$/.test(text) ? text : `${text}.`)

function sinceText(since: Instant | undefined, now: Instant): string {
  return since === undefined ? '' : ` since ${timeText(since, now)} (${spanText(now - since)})`
}

/** A tenant that is as wanted. */
export function fineSummary({ tenant, now, wanted, desired }: Telling): string {
  const { name, status } = tenant
  const ready = findCondition(status.conditions, 'Ready')
  const since = sinceText(ready?.lastTransitionTime, now)
  switch (wanted) {
    case 'Running':
      return `${name} is running as wanted${since}.`
    case 'Suspended':
      return `${name} is suspended as wanted${since}: ${desired.because}.`
    default:
      return `${name} is deleted as wanted${sinceText(status.retainedSince, now)}. ${ready?.message ?? ''}`.trim()
  }
}

/** What went wrong, in our words and then in Fly's, and how often. */
function faultText({ reason, message, retry, since }: Cause, now: Instant): string {
  const what = retry === undefined || !isStep(retry.step) ? 'asking Fly' : stepWords[retry.step]
  const attempts = retry?.attempts ?? 1
  const times = attempts === 1 ? 'once' : `${attempts} times in a row`
  const means = reasonWords(reason)?.means ?? reason
  const said = message === '' ? '' : ` ${ended(message)}`
  const begun = since === undefined ? '' : ` since ${timeText(since, now)}`
  return `${ended(means)}${said} ${what.charAt(0).toUpperCase()}${what.slice(1)} failed ${times}${begun}.`
}

function causeText(cause: Cause, now: Instant): string {
  if (cause.kind === 'fault') return faultText(cause, now)
  if (cause.message !== '') return ended(cause.message)
  return ended(reasonWords(cause.reason)?.means ?? cause.reason)
}

function ahead({ forecast }: Telling): string {
  if (forecast === undefined || forecast.steps.length === 0 || forecast.ends !== 'settled') return ''
  const { length } = forecast.steps
  const steps = length === 1 ? 'One step is' : `${length} steps are`
  return ` ${steps} left, which usually take ${spanText(forecast.typicalSeconds * 1_000)}.`
}

/** When it goes on, and what has to happen first. */
function nextText(telling: Telling, { kind, nextTryAt, waitsOn, subject }: Cause): string {
  const { now } = telling
  if (kind === 'news') return 'It will be as soon as a controller holds the lease and has its turn.'
  if (kind === 'fault' && nextTryAt === undefined)
    return 'Nothing is tried again until the spec changes or somebody asks for it.'
  if (waitsOn === 'person' && subject === 'Permitted') return 'Nothing happens until somebody decides.'
  if (kind === 'stalled') return 'Moorage looks again every few minutes, and goes on by itself once that has changed.'
  if (kind === 'abnormal') return nextTryAt === undefined ? '' : `At the latest ${timeText(nextTryAt, now)}.`
  if (nextTryAt === undefined || nextTryAt <= now) return `Moorage looks again within seconds.${ahead(telling)}`
  const word = kind === 'fault' ? 'Next try' : 'Next look'
  return `${word} in ${spanText(nextTryAt - now)} (${timeText(nextTryAt, now)}).${ahead(telling)}`
}

/** A tenant that is not as wanted: where it is, why, what comes next, and the first thing that a person can do. */
export function blockedSummary(telling: Telling, cause: Cause): string {
  const { tenant, now, phase, wanted, actions } = telling
  const same = phase === wanted || (phase === 'Retained' && wanted === 'Deleted')
  const head = same
    ? `${tenant.name} is ${phase}, but not all is as wanted`
    : `${tenant.name} is ${phase}, not ${wanted}`
  // What is under way needs nobody.
  const [first] = cause.waitsOn === 'step-in-progress' ? [] : actions
  const todo = first === undefined ? '' : `To ${first.does}: ${first.command}`
  return [`${head}: ${causeText(cause, now)}`, nextText(telling, cause), todo].filter((text) => text !== '').join(' ')
}

const marks = { ok: '✓', cause: '✗', waits: '·', rests: '–' } as const

/** The summary, the chain and everything that can be done, one below the other. */
export function whyText(summary: string, chain: readonly WhyLink[], actions: readonly WhyAction[]): string {
  const links = chain.map(({ subject, state, sentence }) => `  ${marks[state]} ${subject.padEnd(17)}${sentence}`)
  const todo = actions.map(({ does, command, request }) => `  To ${does}: ${command}  (${request})`)
  return [summary, '', ...links, ...(todo.length === 0 ? [] : ['', ...todo])].join('\n')
}
