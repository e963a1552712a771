// The insides of machines for scenarios: nothing runs, but what a gateway's machine would show is there. A guest knows whose
// it is, leaves its owner's name on the volume, installs the browser packages once per root filesystem, and answers a probe.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { PERSONALISE } from '../../../boot/personalise.ts'
import type { ObservedGuest, ObservedMachine } from '../../../reconciler/observed.ts'
import type { Probe, Sleeper } from '../../../reconciler/ports.ts'
import type { Clock } from '../../../specs/clock.ts'
import type { ExecResult, GuestHost, GuestStart } from '../../../src/sim/guest-host.ts'
import { modelSleeper, restful } from '../../helpers/sleepers.ts'
import { memoryGuests } from '../../sim/memory-guests.ts'

/** What a tenant's machines have gone through, all of them together. */
export interface GuestHistory {
  /** Cold boots. */
  readonly boots: number
  /** How often the browser packages were really installed. */
  readonly installs: number
  /** What the last cold boot met on the volume: nothing yet, or the uid that wrote there first. */
  readonly found: string | undefined
  /** The tokens for the LLM proxy that the gateway was given as it ran. */
  readonly tokens: readonly string[]
}

/** How the gateways behave, where they are not as they should. */
export interface Mood {
  readonly gateway: 'well' | 'unreachable' | 'starting' | 'mismatch'
  /** Exit codes of the next installs, one after the other; then 0. */
  readonly installExits: readonly number[]
  /** The same for new tokens. */
  readonly renewExits: readonly number[]
  /** What runs in the gateways; '' where nothing does. */
  readonly busy: string
  /** In how many milliseconds from now the user's own next job is due; 0 where there is none. */
  readonly jobIn: number
  /** Live channels. */
  readonly channels: readonly string[]
  /** The same for telling a gateway whose it is. */
  readonly tellExits: readonly number[]
}

export type MoodChange = { readonly [Part in keyof Mood]?: Mood[Part] | undefined }

export interface ScenarioGuests {
  readonly host: GuestHost
  readonly probe: Probe
  readonly sleeper: Sleeper
  setMood(mood: MoodChange): void
  history(uid: string): GuestHistory
  /** A guest that met data of another tenant. */
  readonly trespasses: readonly string[]
  /** Everything, to be taken up by the guests of another stage whose simulator has a copy of the folder. */
  save(folder: string): SavedGuests
}

type Up = ReturnType<typeof memoryGuests>['up'] extends Map<string, infer Guest> ? Guest : never

/** Guests with their folders below the simulator's. */
export interface SavedGuests {
  readonly up: readonly Up[]
  readonly histories: ReadonlyMap<string, GuestHistory>
  readonly bornAt: ReadonlyMap<string, number>
  readonly bootOf: ReadonlyMap<string, string>
}

/** The same guests below another folder. */
export function moved({ up, ...rest }: SavedGuests, from: string, to: string): SavedGuests {
  const elsewhere = (folder: string) => join(to, relative(from, folder))
  const guests = up.map((guest) => ({
    ...guest,
    rootFolder: elsewhere(guest.rootFolder),
    volumeFolder: guest.volumeFolder === undefined ? undefined : elsewhere(guest.volumeFolder),
  }))
  return { ...rest, up: guests }
}

/** How long a gateway takes from its boot to its first answer. */
const startupMs = 2_000

const nothingYet: GuestHistory = { boots: 0, installs: 0, found: undefined, tokens: [] }

function ownerOn(volumeFolder: string | undefined): string | undefined {
  const file = join(volumeFolder ?? '', 'owner')
  return volumeFolder !== undefined && existsSync(file) ? readFileSync(file, 'utf8') : undefined
}

const uidOf = ({ env }: GuestStart): string => env['MOORAGE_UID'] ?? ''

const said = (exit_code: number, text = ''): ExecResult => ({ exit_code, exit_signal: 0, stdout: text, stderr: '' })

export function scenarioGuests(clock: Pick<Clock, 'now'>, saved?: SavedGuests): ScenarioGuests {
  const inner = memoryGuests()
  for (const guest of saved?.up ?? []) inner.up.set(guest.machine, guest)
  const histories = new Map(saved?.histories)
  const bornAt = new Map(saved?.bornAt)
  const bootOf = new Map(saved?.bootOf)
  const trespasses: string[] = []
  let mood: Mood = {
    gateway: 'well',
    installExits: [],
    renewExits: [],
    tellExits: [],
    busy: '',
    jobIn: 0,
    channels: [],
  }
  let jobAt: number | undefined
  const sleepers = new Map<string, ReturnType<typeof modelSleeper>>()
  const sleeperOf = (machine: string) => {
    const known = sleepers.get(machine) ?? modelSleeper(clock)
    sleepers.set(machine, known)
    const silent = mood.gateway === 'unreachable' || inner.up.get(machine) === undefined
    const due = jobAt !== undefined && jobAt > clock.now() ? jobAt : undefined
    const busy = mood.busy === '' ? undefined : mood.busy
    known.mood = { ...restful, silent, busy, jobAt: due, channels: mood.channels }
    return known
  }

  const historyOf = (uid: string) => histories.get(uid) ?? nothingYet
  const note = (uid: string, more: Partial<GuestHistory>) => histories.set(uid, { ...historyOf(uid), ...more })

  function look(guest: GuestStart): void {
    const uid = uidOf(guest)
    const found = ownerOn(guest.volumeFolder)
    // Whoever attaches a volume by hand may look at it.
    if (found !== undefined && uid !== '' && found !== uid)
      trespasses.push(`a guest of ${uid} met the data of ${found}`)
    note(uid, { boots: historyOf(uid).boots + 1, found })
  }

  async function start(guest: GuestStart): Promise<void> {
    look(guest)
    await inner.start(guest)
    bornAt.set(guest.machine, clock.now())
    sleepers.delete(guest.machine)
    bootOf.set(guest.machine, `boot-${historyOf(uidOf(guest)).boots}`)
    if (guest.volumeFolder !== undefined && ownerOn(guest.volumeFolder) === undefined)
      writeFileSync(join(guest.volumeFolder, 'owner'), uidOf(guest))
  }

  async function exec(machine: string, command: readonly string[], timeoutMs: number): Promise<ExecResult> {
    const guest = inner.up.get(machine)
    if (guest !== undefined && command.includes('moorage-renew')) {
      const [exit = 0, ...rest] = mood.renewExits
      mood = { ...mood, renewExits: rest }
      if (exit !== 0) return said(exit, `the gateway cannot read ${command.at(-1) ?? ''}`)
      note(uidOf(guest), { tokens: [...historyOf(uidOf(guest)).tokens, command.at(-1) ?? ''] })
      return said(0)
    }
    if (command.includes(PERSONALISE)) {
      const [exit = 0, ...rest] = mood.tellExits
      mood = { ...mood, tellExits: rest }
      return said(exit)
    }
    if (guest === undefined || !command.includes('moorage-prepare')) return inner.exec(machine, command, timeoutMs)
    const [exit, ...rest] = mood.installExits
    mood = { ...mood, installExits: rest }
    if (exit !== undefined && exit !== 0) return said(exit, 'E: Unable to fetch some archives')
    const marker = join(guest.rootFolder, 'prepared')
    if (!existsSync(marker)) {
      writeFileSync(marker, '')
      note(uidOf(guest), { installs: historyOf(uidOf(guest)).installs + 1 })
    }
    return said(0)
  }

  function answer({ id, uid, incarnation, address }: ObservedMachine): ObservedGuest {
    const guest = inner.up.get(id)
    if (guest === undefined || guest.suspended || mood.gateway === 'unreachable')
      return { kind: 'unreachable', why: 'nothing answered' }
    const itself = uidOf(guest) === uid && guest.env['MOORAGE_INCARNATION'] === String(incarnation)
    if (!itself || guest.address !== address || mood.gateway === 'mismatch') return { kind: 'mismatch' }
    const boot = bootOf.get(id) ?? ''
    const settled = clock.now() - (bornAt.get(id) ?? 0) >= startupMs && sleepers.get(id)?.held() === undefined
    const started = settled && mood.gateway === 'well'
    return started ? { kind: 'ready', boot } : { kind: 'starting', boot }
  }

  return {
    host: { ...inner, start, exec },
    probe: { ask: (machine) => Promise.resolve(answer(machine)) },
    sleeper: {
      prepare: (uid, step) => sleeperOf(step.id).prepare(uid, step),
      end: (uid, step) => sleeperOf(step.id).end(uid, step),
    },
    setMood: (change) => {
      const set = Object.entries(change).filter(([, value]) => value !== undefined)
      mood = { ...mood, ...(Object.fromEntries(set) as Partial<Mood>) }
      if (change.jobIn !== undefined) jobAt = change.jobIn === 0 ? undefined : clock.now() + change.jobIn
    },
    history: historyOf,
    trespasses,
    save: (folder) => moved({ up: [...inner.up.values()], histories, bornAt, bootOf }, folder, ''),
  }
}
