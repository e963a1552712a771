// Tokens for the LLM proxy: whose they are, how long they count, and keys that follow the calendar.
import test from 'ava'
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify, type JSONWebKeySet } from 'jose'
import { keysFrom } from '../../src/keys.ts'
import { keyPeriodMs } from '../../src/llm-keys.ts'

const dayMs = 86_400_000
const master = new Uint8Array(32).fill(7)
/** The beginning of a key's time. */
const begin = 700 * keyPeriodMs

const at = (now: number, lifeMs = 10 * dayMs, from = master) => keysFrom(from, { now: () => now }, lifeMs)
const published = async (now: number, from = master) =>
  createLocalJWKSet((await (await at(now, dayMs, from)).jwks()) as unknown as JSONWebKeySet)

/** What a proxy does with a token at a time, with the keys that it knows. */
const verify = async (token: string, keysAt: number, now = keysAt) =>
  jwtVerify(token, await published(keysAt), {
    ...{ issuer: 'moorage', audience: 'llm-proxy', algorithms: ['EdDSA'], typ: 'at+jwt' },
    ...{ currentDate: new Date(now), requiredClaims: ['sub', 'jti', 'iat', 'exp'] },
  })

test('a token names its tenant, its key and itself, and counts for its life only', async (t) => {
  const keys = await at(begin)
  const token = await keys.llmToken('tenant-uid')
  const { payload, protectedHeader } = await verify(token, begin)
  t.like(payload, { sub: 'tenant-uid', iat: begin / 1000, exp: begin / 1000 + 10 * 86_400 })
  t.like(protectedHeader, { alg: 'EdDSA', typ: 'at+jwt' })
  t.is(token, await keys.llmToken('tenant-uid'), 'the same moment, the same token')
  const later = await (await at(begin + 1)).llmToken('tenant-uid')
  t.not((await verify(later, begin)).payload.jti, payload.jti)
  t.not((await verify(await keys.llmToken('other'), begin)).payload.jti, payload.jti)
  await t.throwsAsync(verify(token, begin + 10 * dayMs), { code: 'ERR_JWT_EXPIRED' })
  await t.throwsAsync(jwtVerify(token, await published(begin, new Uint8Array(32).fill(8))))
  await t.throwsAsync(jwtVerify(token, await published(begin), { audience: 'else', currentDate: new Date(begin) }))
  for (const key of (await keys.jwks()).keys) t.false('d' in key, 'the private part is not published')
})

test('keys change every thirty days; a token verifies for its whole life, also with keys that were kept', async (t) => {
  const last = begin + keyPeriodMs - 1
  const token = await (await at(last, keyPeriodMs)).llmToken('a')
  const end = last + keyPeriodMs - 2_000
  await t.notThrowsAsync(verify(token, end), 'signed in the last moment of its key')
  const next = await (await at(begin + keyPeriodMs)).llmToken('a')
  t.not(decodeProtectedHeader(next).kid, decodeProtectedHeader(token).kid)
  await t.notThrowsAsync(verify(next, last, begin + keyPeriodMs), 'with an answer from before the change')
  const old = await (await at(begin)).llmToken('a')
  await t.throwsAsync(verify(old, begin + 2 * keyPeriodMs, begin + 1), { code: 'ERR_JWKS_NO_MATCHING_KEY' })
})

test('no token outlives the keys', (t) => {
  t.throws(() => void keysFrom(master, { now: () => 0 }, keyPeriodMs + 1), { instanceOf: RangeError })
  t.throws(() => void keysFrom(master, { now: () => 0 }, 0), { instanceOf: RangeError })
})
