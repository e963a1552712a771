// The one change to an orphan: looked at again, noted, and only then called for.
import type { Instant } from '../../specs/clock.ts'
import { Fault } from '../../specs/faults.ts'
import { nextTry } from '../backoff.ts'
import { chargeOf, orphanInput, suspectNow, type Sweeping } from './look.ts'
import type { OrphanRecord } from './orphan.ts'
import { orphanStepWords, planOrphan, type OrphanStep } from './plan.ts'
import type { OrphanPorts } from './ports.ts'

async function call(ports: OrphanPorts, record: OrphanRecord, step: OrphanStep, at: Instant) {
  const { cloud } = ports
  switch (step.kind) {
    case 'labelMachine':
      return cloud.stampMachine(step.id, step.version, step.metadata)
    case 'stopMachine':
      return cloud.stopMachine(step.id)
    case 'destroyMachine':
      await ports.charge(chargeOf(record, at))
      return cloud.destroyMachine(step.id)
    case 'snapshotVolume':
      return cloud.snapshotVolume(step.id)
    case 'destroyVolume':
      await ports.charge(chargeOf(record, at))
      return cloud.destroyVolume(step.id)
  }
}

function noted(record: OrphanRecord, step: OrphanStep, now: Instant): OrphanRecord {
  const message = `Now ${orphanStepWords[step.kind]}.`
  const acting = { ...record, reason: 'Acting', message, lastSeen: now }
  if (step.kind === 'snapshotVolume') return { ...acting, snapshotAt: now }
  return step.kind === 'destroyMachine' || step.kind === 'destroyVolume' ? { ...acting, destroyAt: now } : acting
}

/** The note comes before the call; a person's word that came in between makes the step void. */
async function perform(ports: OrphanPorts, record: OrphanRecord, step: OrphanStep): Promise<void> {
  const { orphans, clock, journal } = ports
  const now = clock.now()
  const written = await orphans.save(record, noted(record, step, now))
  // Never call with a lease that has run out.
  if (written === undefined || ports.term() === undefined) return
  const what = step.kind
  const entry = { at: now, uid: record.uid, tenant: record.name, what, message: orphanStepWords[what] }
  journal.note({ ...entry, kind: 'step' })
  await call(ports, record, step, now)
  journal.note({ ...entry, kind: 'done', tookMs: clock.now() - now })
  if (written.attempts > 0) await orphans.save(written, { ...written, attempts: 0, nextAt: undefined })
}

async function failed({ orphans, clock, journal }: OrphanPorts, id: string, fault: Fault): Promise<void> {
  const record = await orphans.get(id)
  if (record === undefined) return
  const { uid, name: tenant, attempts: before } = record
  const [at, attempts, { message }] = [clock.now(), before + 1, fault]
  journal.note({ at, uid, tenant, kind: 'failed', what: 'orphan', message })
  const nextAt = nextTry(fault, attempts, at, clock.random())
  await orphans.save(record, { ...record, reason: fault.rule.reason, message, attempts, nextAt })
}

/** Works on one orphan; what Fly refuses meanwhile is written down with it. */
export async function noting(ports: OrphanPorts, record: OrphanRecord, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    await failed(ports, record.id, error)
  }
}

/** A list proposes and a read by id decides: the same question once more, then its step. Throws its Fault. */
export async function act(ports: OrphanPorts, sweeping: Sweeping, record: OrphanRecord): Promise<void> {
  const suspect = await suspectNow(ports, record)
  if (suspect === undefined) return
  const decision = planOrphan(await orphanInput(ports, sweeping, record, suspect))
  if (decision.kind === 'act') await perform(ports, record, decision.step)
}
