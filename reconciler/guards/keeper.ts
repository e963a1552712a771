// Keeps what holds the fleet back: the mode, the doubts, the ledger, the shared waits.
import type { Guards } from '../ports.ts'
import { freeFleet } from './view.ts'

/** Guards that hold nothing back. */
export function openGuards(): Guards {
  return {
    view: () => freeFleet,
    admit: () => {},
    charge: () => Promise.resolve(),
    ended: () => {},
  }
}
