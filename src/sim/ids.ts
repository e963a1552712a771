// Identifiers in the shapes that Fly gives them.

/** A source of unpredictable bytes. */
type Bytes = (length: number) => Uint8Array

const crockford = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const lower = 'abcdefghijklmnopqrstuvwxyz0123456789'
const mixed = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const qualities = [
  'amber',
  'bold',
  'calm',
  'dry',
  'early',
  'fair',
  'green',
  'hidden',
  'late',
  'quiet',
  'silent',
  'wild',
]
const things = ['bird', 'brook', 'dust', 'field', 'frost', 'glade', 'leaf', 'moon', 'pine', 'river', 'snow', 'wave']

const pick = (bytes: Uint8Array, alphabet: string): string =>
  Array.from(bytes, (byte) => alphabet.charAt(byte % alphabet.length)).join('')

/** Lower-case hexadecimal digits. */
export const hex = (bytes: Bytes, digits: number): string => Buffer.from(bytes(digits / 2)).toString('hex')

/** 14 hexadecimal digits, such as 148e21ea7e46e8. */
export const machineId = (bytes: Bytes): string => hex(bytes, 14)

/** `vol_` and 16 characters. */
export const volumeId = (bytes: Bytes): string => `vol_${pick(bytes(16), lower)}`

/** `vs_` and 16 characters. */
export const snapshotId = (bytes: Bytes): string => `vs_${pick(bytes(16), mixed)}`

/** 26 characters that sort by time: a version, an event, a request. */
export function ulid(bytes: Bytes, now: number): string {
  let time = ''
  for (let left = now, at = 0; at < 10; at++, left = Math.floor(left / 32)) time = crockford.charAt(left % 32) + time
  return time + pick(bytes(16), crockford)
}

/** The name Fly makes up when none is given, such as quiet-pine-4711. */
export function machineName(bytes: Bytes): string {
  const [first = 0, second = 0, third = 0, fourth = 0] = bytes(4)
  const number = 1000 + ((third * 256 + fourth) % 9000)
  return `${qualities[first % qualities.length] ?? ''}-${things[second % things.length] ?? ''}-${number}`
}

/** Six groups of two hexadecimal digits as a v4 UUID would have them; for lease owners. */
export function uuid(bytes: Bytes): string {
  const digits = hex(bytes, 32)
  return [8, 12, 16, 20, 32].map((end, at) => digits.slice([0, 8, 12, 16, 20][at], end)).join('-')
}
