// Private addresses: each new machine gets one of its own out of 127.0.0.0/8, where Fly would give a 6PN address.
import type { Store } from './store.ts'

const perBlock = 254

/** An octet from 64 to 254, away from the addresses that other programs like to use. */
const octet = (byte: number): number => 64 + (byte % 191)

/**
 * The next address. The /16 and the place to begin in it are chosen at random once per folder, so that two simulators
 * on one machine do not meet; from there on addresses are handed out in order, so that one is used again only after
 * 65,024 others, and never while a machine holds it.
 */
export function nextAddress(store: Store, bytes: (length: number) => Uint8Array): string {
  const network = store.setting('network', () => Array.from(bytes(2), octet).join('.'))
  const [second = 64, third = 64] = network.split('.').map(Number)
  const taken = new Set(
    store.all('machine').flatMap((machine) => (machine.state === 'destroyed' ? [] : [machine.privateIp])),
  )
  for (let count = Number(store.setting('addresses', () => '0')); ; count++) {
    const block = (third + Math.floor(count / perBlock)) % 256
    const address = `127.${second}.${block}.${1 + (count % perBlock)}`
    if (taken.has(address)) continue
    store.set('addresses', String(count + 1))
    return address
  }
}
