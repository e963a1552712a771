// The proxy's own pages: who gets which form, what they promise, and what they never say.
import test from 'ava'
import { createHash } from 'node:crypto'
import { escapeHtml } from '../../proxy/page-html.ts'
import { page, type Reason } from '../../proxy/pages.ts'

const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'
const ask = (reason: Reason, accept?: string, detail?: string) =>
  page({ reason, accept, requestId: 'abc123', retrySeconds: 5, detail })

const statuses: Record<Reason, number> = {
  unknown: 404,
  provisioning: 503,
  asleep: 503,
  unwoken: 503,
  'left-open': 503,
  waking: 503,
  suspended: 503,
  billing: 402,
  deleting: 410,
  failed: 503,
  unreachable: 502,
  timeout: 504,
  mismatch: 502,
  resting: 503,
  busy: 503,
  'too-many-requests': 429,
  crowded: 503,
  'too-large': 413,
  'bad-request': 400,
  'request-timeout': 408,
  'headers-too-large': 431,
  internal: 500,
}

test('every reason has its status, in both forms, with the request id and nothing cached', (t) => {
  for (const [reason, status] of Object.entries(statuses) as [Reason, number][])
    for (const accept of [browser, 'application/json']) {
      const answer = ask(reason, accept)
      t.is(answer.status, status)
      t.is(answer.headers['x-request-id'], 'abc123')
      t.is(answer.headers['cache-control'], 'no-store')
      t.is(answer.headers['content-length'], String(Buffer.byteLength(answer.body)))
      t.true(answer.body.includes('abc123'))
    }
})

test('a browser gets a page, everybody else problem details', (t) => {
  for (const accept of [browser, 'text/html', 'TEXT/HTML;level=1', 'application/json, text/html;q=0.5'])
    t.is(ask('unknown', accept).headers['content-type'], 'text/html; charset=utf-8', accept)
  for (const accept of [undefined, '*/*', 'application/json', 'text/html;q=0', 'text/html-x', 'image/avif,*/*'])
    t.is(ask('unknown', accept).headers['content-type'], 'application/problem+json', accept)
})

test('problem details say what RFC 9457 wants', (t) => {
  t.deepEqual(JSON.parse(ask('bad-request', undefined, 'Two hosts.').body), {
    type: 'urn:moorage:problem:bad-request',
    title: 'Bad request',
    status: 400,
    detail: 'Two hosts.',
    code: 'bad-request',
    requestId: 'abc123',
  })
})

test('only what will change by itself promises a time', (t) => {
  for (const reason of Object.keys(statuses) as Reason[]) {
    const soon = { provisioning: '5', asleep: '5', waking: '5', crowded: '5', resting: '5' }
    const wanted = { ...soon, failed: '30', unwoken: '30', 'left-open': '30', busy: '1', 'too-many-requests': '1' }[
      reason as string
    ]
    t.is(ask(reason).headers['retry-after'], wanted, reason)
    const comesUp = ['provisioning', 'asleep', 'unwoken', 'waking', 'crowded'].includes(reason)
    t.is(ask(reason, browser).body.includes('http-equiv="refresh"'), comesUp, reason)
  }
  t.true(ask('provisioning', browser).body.includes('<meta http-equiv="refresh" content="5">'))
})

test('the page needs nothing from elsewhere, runs only what its policy names, and can be read by machines', (t) => {
  const { body, headers } = ask('provisioning', browser)
  t.notRegex(body, /https?:\/\/|<script [^>]|<link|<img|@import|url\(/)
  const scripts = [...body.matchAll(/<script>([^]*?)<\/script>/g)].map(([, text = '']) => text)
  t.is(scripts.length, 1)
  const hash = createHash('sha256')
    .update(scripts[0] ?? '')
    .digest('base64')
  t.true(String(headers['content-security-policy']).includes(`script-src 'sha256-${hash}'`))
  t.false(ask('billing', browser).body.includes('<script'), 'a page that stays runs nothing')
  t.regex(String(headers['content-security-policy']), /default-src 'none'/)
  t.regex(body, /<html lang="en">/)
  t.regex(body, /<main>[^]*<h1>/)
  t.regex(body, /prefers-color-scheme: dark/)
  t.regex(body, /prefers-reduced-motion/)
})

test('text is escaped', (t) => {
  t.is(escapeHtml(`<script>"&'`), '&lt;script&gt;&quot;&amp;&#39;')
  t.notRegex(ask('bad-request', browser, '<script>alert(1)</script>').body, /<script>/)
})
