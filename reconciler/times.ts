// Times and durations as a person reads them, always in UTC. Pure.
import type { Instant } from '../specs/clock.ts'

const dayMs = 86_400_000

/** `10:05:12 UTC` within a day of `now`, else `2026-01-03 10:05 UTC`. */
export function timeText(at: Instant, now: Instant): string {
  const iso = new Date(at).toISOString()
  const near = Math.abs(at - now) < dayMs
  return near ? `${iso.slice(11, 19)} UTC` : `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`
}

const units = [
  ['d', dayMs],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const

/** The two largest units: `6 d 2 h`, `4 min 10 s`, `38 s`. */
export function spanText(ms: number): string {
  const whole = Math.max(0, Math.round(ms / 1_000)) * 1_000
  const largest = units.findIndex(([, size]) => whole >= size)
  const two = units.slice(largest, largest + 2)
  const parts = two.map(([unit, size], place) => {
    const rest = place === 0 ? whole : whole % (two[0]?.[1] ?? size)
    return [Math.floor(rest / size), unit] as const
  })
  const said = parts.filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`)
  return largest === -1 || said.length === 0 ? '0 s' : said.join(' ')
}
