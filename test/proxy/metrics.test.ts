// Metrics tell what happened and to how many, never to whom.
import test from 'ava'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Registry } from 'prom-client'
import { ask, eventually, startStage, startTenant } from '../helpers/upstream.ts'

test('what is counted can be read, and no label grows with tenants, hosts or paths', async (t) => {
  const answering = (_request: IncomingMessage, response: ServerResponse) => response.end('ok')
  const tenants = await Promise.all(['acme', 'globex', 'hooli'].map((name) => startTenant(t, name, answering)))
  const metrics = new Registry()
  const { proxy } = await startStage(t, tenants.map((tenant) => tenant.route()), { metrics }) // prettier-ignore
  for (const { host } of tenants) await ask(proxy, host, `/${host}/s3cret?token=s3cret`)
  await ask(proxy, 'nobody.localhost')
  await eventually(t, () => proxy.stats().inFlight === 0, 'all are over')
  const text = await metrics.metrics()
  for (const line of [
    'moorage_proxy_routes 3',
    'moorage_proxy_requests_in_progress 0',
    'moorage_proxy_dials_total 3',
    'moorage_proxy_cross_tenant_blocked_total 0',
    'moorage_proxy_pages_total{reason="unknown"} 1',
    'moorage_proxy_exchanges_total{kind="request",by="tenant",status="2xx"} 3',
    'moorage_proxy_exchanges_total{kind="request",by="proxy",status="4xx"} 1',
    'moorage_proxy_request_seconds_count{by="tenant"} 3',
  ])
    t.true(text.includes(`${line}\n`), line)
  t.notRegex(text, /acme|globex|hooli|localhost|s3cret/)
  t.is(await metrics.metrics(), text, 'reading changes nothing')
})
