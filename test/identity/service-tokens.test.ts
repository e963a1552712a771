// Service tokens over a real store: shown once, limited in time, rotated, revoked; and every known forgery.
import { createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { Db } from 'mongodb'
import { exportJWK, exportSPKI, importJWK, SignJWT, type CryptoKey } from 'jose'
import type { Refusal, Verdict } from '../../src/identity/identity.ts'
import { day } from '../../src/identity/service-token.ts'
import {
  believedMs,
  notedMs,
  serviceTokens,
  type NewToken,
  type TokenStore,
} from '../../src/identity/service-tokens.ts'
import { tokenPrefix, tokenSigner } from '../../src/identity/token-signer.ts'
import { openStore } from '../../src/store/open.ts'
import { tokensIn } from '../../src/store/tokens.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'

const ours = generateKeyPairSync('ed25519').privateKey

async function opened(t: ExecutionContext) {
  const folder = await mkdtemp(join(tmpdir(), 'moorage-tokens-'))
  const store = await openStore({ uri: undefined, folder })
  t.teardown(async () => {
    await store.close()
    await rm(folder, { recursive: true, force: true })
  })
  // The database forgets by the real time, so ours is far ahead of it.
  const clock = new VirtualClock(1, Date.UTC(2100, 0, 1))
  return { db: store.db, clock, ...(await tokensOver(tokensIn(store.db), clock)) }
}

async function tokensOver(store: TokenStore, clock: VirtualClock) {
  const signer = await tokenSigner(ours, clock)
  const warned: object[] = []
  const log = { warn: (fields: object) => void warned.push(fields) }
  return { store, signer, warned, tokens: serviceTokens({ store, signer, clock, log }) }
}

const wanted: NewToken = { name: 'ci', role: 'billing', selector: 'plan=pro', lifeMs: 90 * day, by: 'admin-token' }

const outcome = (verdict: Verdict) =>
  verdict.kind === 'known' ? verdict.identity.role : verdict.kind === 'refused' ? verdict.reason : verdict.kind

const everything = async (db: Db) => JSON.stringify(await db.collection('tokens').find().toArray())

test('a token is its holder’s, and its secret is nowhere in the database', async (t) => {
  const { tokens, db } = await opened(t)
  const { token, secret } = await tokens.create(wanted)
  t.true(secret.startsWith(tokenPrefix))
  t.deepEqual(await tokens.verify(secret), {
    kind: 'known',
    identity: { id: `token:${token.id}`, name: 'ci', role: 'billing', selector: 'plan=pro' },
  })
  const stored = await everything(db)
  for (const part of secret.slice(tokenPrefix.length).split('.')) t.false(stored.includes(part))
  t.like(await tokens.page({ limit: 10 }), [{ id: token.id, name: 'ci', createdBy: 'admin-token', version: 1 }])
})

test('a token ends with its time', async (t) => {
  const { tokens, clock } = await opened(t)
  const { secret } = await tokens.create({ ...wanted, lifeMs: day })
  clock.leap(day - 1)
  t.is(outcome(await tokens.verify(secret)), 'billing')
  clock.leap(1)
  t.is(outcome(await tokens.verify(secret)), 'expired')
  clock.leap(day)
  t.is(outcome(await tokens.verify(secret)), 'expired')
})

test('a revoked token is refused at once where it was revoked, and within seconds elsewhere', async (t) => {
  const here = await opened(t)
  const there = await tokensOver(here.store, here.clock)
  const { token, secret } = await here.tokens.create(wanted)
  t.is(outcome(await there.tokens.verify(secret)), 'billing')
  t.like(await here.tokens.revoke(token), { revokedAt: here.clock.now() })
  t.is(outcome(await here.tokens.verify(secret)), 'revoked')
  here.clock.leap(believedMs)
  t.is(outcome(await there.tokens.verify(secret)), 'revoked')
  // Somebody who read it before does not write over the revocation.
  t.is(await there.tokens.rotate(token, { lifeMs: day, graceMs: day }), undefined)
  t.is(outcome(await there.tokens.verify(secret)), 'revoked')
})

test('after a rotation both secrets are taken for a while, then only the new one', async (t) => {
  const { tokens, clock } = await opened(t)
  const first = await tokens.create(wanted)
  const second = await tokens.rotate(first.token, { lifeMs: 90 * day, graceMs: day })
  if (second === undefined) return t.fail('somebody else wrote')
  t.deepEqual([first.token.id, 2], [second.token.id, second.token.version])
  for (const { secret } of [first, second]) t.is(outcome(await tokens.verify(secret)), 'billing')
  clock.leap(day)
  t.deepEqual(
    [outcome(await tokens.verify(first.secret)), outcome(await tokens.verify(second.secret))],
    ['revoked', 'billing'],
  )
  const third = await tokens.rotate(second.token, { lifeMs: day, graceMs: 0 })
  t.is(outcome(await tokens.verify(second.secret)), 'revoked')
  t.is(outcome(await tokens.verify(third?.secret ?? '')), 'billing')
})

test('the last use is noted once a minute, also beside a rotation', async (t) => {
  const { tokens, store, clock } = await opened(t)
  const { token, secret } = await tokens.create(wanted)
  const lastUse = async () => (await store.get(token.id))?.lastUsedAt
  t.is(await lastUse(), undefined)
  const first = clock.now()
  await tokens.verify(secret)
  clock.leap(notedMs - 1)
  await tokens.verify(secret)
  t.is(await lastUse(), first)
  await tokens.rotate(token, { lifeMs: day, graceMs: day })
  clock.leap(1)
  await tokens.verify(secret)
  t.is(await lastUse(), first + notedMs)
  await store.used(token.id, first)
  t.is(await lastUse(), first + notedMs)
})

test('while the store is away nobody is believed for longer than seconds; a use that cannot be noted hurts nobody', async (t) => {
  const { store, clock } = await opened(t)
  const lost = () => Promise.reject(new Error('the store is away'))
  let away = false
  const failing: TokenStore = { ...store, get: (id) => (away ? lost() : store.get(id)), used: lost }
  const { tokens, warned } = await tokensOver(failing, clock)
  const { secret } = await tokens.create(wanted)
  t.is(outcome(await tokens.verify(secret)), 'billing')
  away = true
  t.is(outcome(await tokens.verify(secret)), 'billing')
  clock.leap(believedMs)
  await t.throwsAsync(tokens.verify(secret), { message: 'the store is away' })
  t.is(warned.length, 1)
})

test('what is not a token of ours is refused, each for its own reason', async (t) => {
  const { tokens, signer, clock } = await opened(t)
  const { token, secret } = await tokens.create(wanted)
  const [head = '', body = '', signature = ''] = secret.slice(tokenPrefix.length).split('.')
  const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as Record<string, unknown>
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Record<string, unknown>
  const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const sign = (more: object, over: object = {}, key: KeyObject = ours) =>
    new SignJWT({ ...claims, ...more }).setProtectedHeader({ ...header, alg: 'EdDSA', ...over }).sign(key)
  const eve = generateKeyPairSync('ed25519')
  const now = Math.floor(clock.now() / 1_000)
  const publicJwk = await exportJWK(createPublicKey(ours))
  const spki = await exportSPKI((await importJWK(publicJwk, 'EdDSA')) as CryptoKey)
  const hs = [spki, JSON.stringify(publicJwk), publicJwk.x ?? ''].map((key) => {
    const content = `${encoded({ ...header, alg: 'HS256' })}.${body}`
    return `${content}.${createHmac('sha256', key).update(content).digest('base64url')}`
  })
  const table: readonly (readonly [name: string, jwt: string, why: Refusal])[] = [
    ['alg none', `${encoded({ ...header, alg: 'none' })}.${body}.`, 'algorithm'],
    ...hs.map((jwt, index) => [`HS with the public key ${index}`, jwt, 'algorithm'] as const),
    ['another body', `${head}.${encoded({ ...claims, jti: `${token.id}.2` })}.${signature}`, 'signature'],
    ['no signature', `${head}.${body}.`, 'signature'],
    ['a stranger’s key', await sign({}, {}, eve.privateKey), 'signature'],
    ['embedded jwk', await sign({}, { jwk: await exportJWK(eve.publicKey) }, eve.privateKey), 'header'],
    ['jku', await sign({}, { jku: 'http://127.0.0.1:1/' }, eve.privateKey), 'header'],
    ['x5u', await sign({}, { x5u: 'http://127.0.0.1:1/' }, eve.privateKey), 'header'],
    ['crit', `${encoded({ ...header, crit: ['x'], x: 1 })}.${body}.${signature}`, 'header'],
    ['wrong typ, as of a tenant’s LLM token', await sign({}, { typ: 'at+jwt' }), 'header'],
    ['no typ', await sign({}, { typ: undefined }), 'header'],
    ['wrong audience', await sign({ aud: 'llm-proxy' }), 'audience'],
    ['wrong issuer', await sign({ iss: 'other' }), 'issuer'],
    ['expired', await sign({ exp: now - 31 }), 'expired'],
    ['not yet valid', await sign({ nbf: now + 31 }), 'not-yet-valid'],
    ['no expiry', await sign({ exp: undefined }), 'claims'],
    ['no jti', await sign({ jti: undefined }), 'claims'],
    ['a jti of another shape', await sign({ jti: '../x' }), 'claims'],
    ['a token that is not stored', await sign({ jti: 'aaaaaaaaaaaaaaaa.1' }), 'unknown'],
    ['a version that never was', await sign({ jti: `${token.id}.9` }), 'revoked'],
    ['oversized', await sign({ more: 'x'.repeat(8_192) }), 'oversized'],
    ['two parts', `${head}.${body}`, 'malformed'],
    ['nothing', '', 'malformed'],
    ['no JSON', `AAAA.${body}.${signature}`, 'malformed'],
  ]
  for (const [name, jwt, why] of table) t.is(outcome(await tokens.verify(`${tokenPrefix}${jwt}`)), why, name)
  t.is(outcome(await tokens.verify(secret.slice(tokenPrefix.length))), 'malformed', 'without its word')
  t.is(outcome(await tokens.verify(secret.toUpperCase())), 'malformed')
  t.is(outcome(await tokens.verify(secret)), 'billing')
  // Another installation's key signs none of ours.
  const other = await tokenSigner(createPrivateKey(eve.privateKey.export({ format: 'pem', type: 'pkcs8' })), clock)
  t.deepEqual(await other.read(secret), { ok: false, reason: 'signature' })
  t.true((await signer.read(secret)).ok)
})
