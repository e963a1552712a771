// A volume that was read lately is not read again, unless it is on its way to another state, or was changed by us.
import test from 'ava'
import { RecentVolumes } from '../../src/fly/recent-volumes.ts'
import { modelVolume } from '../helpers/model.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'

test('what was read is believed as long as is asked for, and ten seconds at most', async (t) => {
  const clock = new VirtualClock()
  const recent = new RecentVolumes(clock)
  const volume = modelVolume({})
  t.is(recent.take(volume), volume)
  t.is(recent.find(volume.id, 0), undefined)
  await clock.advance(4_000)
  t.is(recent.find(volume.id, 5_000), volume)
  t.is(recent.find(volume.id, 4_000), undefined)
  await clock.advance(6_000)
  t.is(recent.find(volume.id, 60_000), undefined)
})

test('what is changed, or is not ready, is read anew', (t) => {
  const recent = new RecentVolumes(new VirtualClock())
  const volume = recent.take(modelVolume({}))
  recent.forget(volume.id)
  t.is(recent.find(volume.id, 5_000), undefined)
  recent.take(volume)
  recent.take({ ...volume, state: 'busy' })
  t.is(recent.find(volume.id, 5_000), undefined)
})
