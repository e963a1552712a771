// Fly cannot be asked: it is asked less and less often, and the journal says why with the fault's reason.
import test from 'ava'
import { reconcile } from '../../reconciler/reconcile.ts'
import { Fault } from '../../specs/faults.ts'
import { outsideOf, portsOver } from '../helpers/model-ports.ts'
import { tenantWith, uid } from '../helpers/tenants.ts'

test('ten minutes without Fly cost about one look each 15 s, and not one each poll', async (t) => {
  const outside = outsideOf(tenantWith())
  outside.trip = (call, moment) => {
    if (moment === 'before' && !/^(store|activity)\./.test(call))
      throw new Fault('unavailable', 'Fly could not be reached.', { call })
  }
  const end = outside.clock.now() + 600_000
  let looks = 0
  while (outside.clock.now() < end) {
    const back = await reconcile(portsOver(outside), uid)
    looks += 1
    await outside.clock.advance(Math.max(1, (back?.at ?? end) - outside.clock.now()))
  }
  t.true(looks > 30 && looks < 120, `${looks} looks`)
  t.true(outside.journal.every(({ kind, reason }) => kind === 'failed' && reason === 'FlyUnavailable'))
  t.is(outside.tenant.status.outage?.attempts, looks)
})
