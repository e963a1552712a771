// Tokens of a real issuer over HTTP: who is believed, key rotation, an issuer that cannot be asked, and every known forgery.
import { createHmac } from 'node:crypto'
import test from 'ava'
import { exportJWK, exportSPKI, generateKeyPair, importJWK, SignJWT, type CryptoKey } from 'jose'
import { realClock } from '../../src/clock.ts'
import type { Refusal, Verdict } from '../../src/identity/identity.ts'
import type { IssuerTimes } from '../../src/identity/issuer-keys.ts'
import { oidcVerifier } from '../../src/identity/oidc.ts'
import { readRoleValues, roleOf } from '../../src/identity/role-claim.ts'
import { Fault } from '../../specs/faults.ts'
import { audience, inSeconds, startIssuer, type Claims, type TestIssuer } from './issuer.ts'

const values = { admin: ['ops'], billing: ['finance'], viewer: ['staff'] }

function verifierOf(issuer: TestIssuer, times: Partial<IssuerTimes> = {}) {
  const role = { claim: 'groups', values }
  const log = { warn: () => {} }
  return oidcVerifier({ issuer: issuer.url, audience, role, clock: realClock, log, times })
}

const outcome = (verdict: Verdict) =>
  verdict.kind === 'known' ? verdict.identity.role : verdict.kind === 'refused' ? verdict.reason : verdict.kind

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const ops: Claims = { groups: ['staff', 'ops'] }

test('the issuer’s token is its subject’s, with the first role that its claim gives', async (t) => {
  const issuer = await startIssuer(t)
  const verify = verifierOf(issuer)
  t.deepEqual(await verify(await issuer.sign({ ...ops, email: 'ann@example.com' })), {
    kind: 'known',
    identity: { id: 'oidc:ann', name: 'ann@example.com', role: 'admin', selector: undefined },
  })
  t.is(outcome(await verify(await issuer.sign({ groups: 'finance' }))), 'billing')
  t.is(outcome(await verify(await issuer.sign({ groups: ['admin'] }))), 'roleless')
  t.is(outcome(await verify(await issuer.sign({}))), 'roleless')
  t.is(outcome(await verify(await issuer.sign({ ...ops, aud: ['other', audience] }))), 'admin')
  t.is(outcome(await verify(await issuer.sign(ops, { typ: 'at+jwt' }))), 'admin')
  t.is(outcome(await verify(await issuer.sign(ops, { typ: undefined }))), 'admin')
  // Clocks differ by half a minute.
  t.is(outcome(await verify(await issuer.sign({ ...ops, exp: inSeconds(-20), nbf: inSeconds(20) }))), 'admin')
})

/** Signs as the issuer does, but with a key of one's own. */
async function forged(issuer: TestIssuer, header: object, key?: CryptoKey, claims: Claims = ops): Promise<string> {
  const own = key ?? (await generateKeyPair('RS256')).privateKey
  const usual = { iss: issuer.url, aud: audience, sub: 'eve', iat: inSeconds(0), exp: inSeconds(600) }
  return new SignJWT({ ...usual, ...claims })
    .setProtectedHeader({ alg: 'RS256', kid: 'first', typ: 'JWT', ...header })
    .sign(own)
}

/** HS256 with something public as the secret: what confuses a verifier that lets the token choose the algorithm. */
async function confused(issuer: TestIssuer): Promise<string[]> {
  const [jwk] = issuer.published()
  const key = (await importJWK(jwk ?? {}, 'RS256')) as CryptoKey
  const secrets = [await exportSPKI(key), JSON.stringify(jwk), jwk?.n ?? '']
  const content = `${encoded({ alg: 'HS256', kid: 'first', typ: 'JWT' })}.${encoded({
    ...ops,
    ...{ iss: issuer.url, aud: audience, sub: 'eve', iat: inSeconds(0), exp: inSeconds(600) },
  })}`
  return secrets.map((secret) => `${content}.${createHmac('sha256', secret).update(content).digest('base64url')}`)
}

async function forgeries(
  issuer: TestIssuer,
): Promise<readonly (readonly [name: string, token: string, why: Refusal])[]> {
  const good = await issuer.sign(ops)
  const [head = '', body = '', signature = ''] = good.split('.')
  const own = await generateKeyPair('RS256', { extractable: true })
  const jwk = await exportJWK(own.publicKey)
  const unsigned = (alg: string) => `${encoded({ alg, typ: 'JWT' })}.${body}.`
  const hs = await confused(issuer)
  const other = encoded({ ...(JSON.parse(Buffer.from(body, 'base64url').toString()) as object), sub: 'eve' })
  const sign = (claims: Claims, header = {}) => issuer.sign({ ...ops, ...claims }, header)
  return [
    ['alg none', unsigned('none'), 'algorithm'],
    ['alg None', unsigned('None'), 'algorithm'],
    ['none with a signature', `${encoded({ alg: 'none' })}.${body}.${signature}`, 'algorithm'],
    ...hs.map((token, index) => [`HS/RS confusion ${index}`, token, 'algorithm'] as const),
    ['another body', `${head}.${other}.${signature}`, 'signature'],
    ['a signature cut short', `${head}.${body}.${signature.slice(0, -8)}`, 'signature'],
    ['no signature', `${head}.${body}.`, 'signature'],
    ['a key of one’s own under the issuer’s kid', await forged(issuer, {}, own.privateKey), 'signature'],
    ['an unknown kid', await forged(issuer, { kid: 'eve' }, own.privateKey), 'key'],
    ['embedded jwk', await forged(issuer, { jwk }, own.privateKey), 'header'],
    ['jku', await forged(issuer, { jku: 'http://127.0.0.1:1/keys' }, own.privateKey), 'header'],
    ['x5u', await forged(issuer, { x5u: 'http://127.0.0.1:1/cert' }, own.privateKey), 'header'],
    ['x5c', await forged(issuer, { x5c: ['AAAA'] }, own.privateKey), 'header'],
    ['jku by the issuer itself', await sign({}, { jku: `${issuer.url}/keys` }), 'header'],
    ['crit', `${encoded({ alg: 'RS256', kid: 'first', crit: ['x'], x: 1 })}.${body}.${signature}`, 'header'],
    ['b64', `${encoded({ alg: 'RS256', kid: 'first', b64: false, crit: ['b64'] })}.${body}.${signature}`, 'header'],
    ['wrong audience', await sign({ aud: 'other' }), 'audience'],
    ['no audience', await sign({ aud: undefined }), 'audience'],
    ['audience that only begins so', await sign({ aud: `${audience}-2` }), 'audience'],
    ['wrong issuer', await sign({ iss: 'http://127.0.0.1:1' }), 'issuer'],
    ['issuer with a slash more', await sign({ iss: `${issuer.url}/` }), 'issuer'],
    ['expired', await sign({ exp: inSeconds(-40) }), 'expired'],
    ['no expiry', await sign({ exp: undefined }), 'claims'],
    ['not yet valid', await sign({ nbf: inSeconds(60) }), 'not-yet-valid'],
    ['expiry as text', await sign({ exp: '4000000000' }), 'claims'],
    ['no subject', await sign({ sub: undefined }), 'claims'],
    ['an empty subject', await sign({ sub: '' }), 'claims'],
    ['wrong typ', await sign({}, { typ: 'logout+jwt' }), 'header'],
    ['typ that is no text', await sign({}, { typ: 1 }), 'header'],
    ['oversized', await sign({ more: 'x'.repeat(8_192) }), 'oversized'],
    ['two parts', `${head}.${body}`, 'malformed'],
    ['five parts, as a JWE', `${head}.${body}.${signature}.${body}.${body}`, 'malformed'],
    ['no JSON in the header', `AAAA.${body}.${signature}`, 'malformed'],
    ['an array as header', `${encoded([])}.${body}.${signature}`, 'malformed'],
    ['padded base64', `${head}=.${body}.${signature}`, 'malformed'],
    ['nothing', '', 'malformed'],
    ['dots', '..', 'malformed'],
    ['a word', 'token', 'malformed'],
  ]
}

test('no forgery is believed, each for its own reason', async (t) => {
  const issuer = await startIssuer(t)
  const verify = verifierOf(issuer)
  t.is(outcome(await verify(await issuer.sign(ops))), 'admin')
  for (const [name, token, why] of await forgeries(issuer)) t.is(outcome(await verify(token)), why, name)
  t.is(outcome(await verify(await issuer.sign(ops))), 'admin')
})

test('a new key is found by its kid, and the old one goes when it is no longer published', async (t) => {
  const issuer = await startIssuer(t)
  const verify = verifierOf(issuer, { cooldownMs: 0, freshMs: 0 })
  const old = await issuer.sign(ops)
  t.is(outcome(await verify(old)), 'admin')
  await issuer.rotate('second', { keep: true, alg: 'ES256' })
  const next = await issuer.sign(ops)
  t.deepEqual([outcome(await verify(next)), outcome(await verify(old))], ['admin', 'admin'])
  await issuer.rotate('third', { alg: 'EdDSA' })
  t.deepEqual([outcome(await verify(old)), outcome(await verify(next))], ['key', 'key'])
  t.is(outcome(await verify(await issuer.sign(ops))), 'admin')
})

test('unknown keys do not make us ask the issuer again and again', async (t) => {
  const issuer = await startIssuer(t)
  const verify = verifierOf(issuer)
  await verify(await issuer.sign(ops))
  const unknown = await forged(issuer, { kid: 'eve' })
  for (let count = 0; count < 20; count += 1) t.is(outcome(await verify(unknown)), 'key')
  t.is(issuer.asked(), 1)
})

test('while the issuer is down known keys count, and an unknown one is neither believed nor called false', async (t) => {
  const issuer = await startIssuer(t)
  const verify = verifierOf(issuer, { cooldownMs: 0, freshMs: 0, downMs: 0 })
  const known = await issuer.sign(ops)
  const unknown = await forged(issuer, { kid: 'eve' })
  issuer.answer(503)
  await t.throwsAsync(verify(known), { instanceOf: Fault, message: /cannot be asked/ })
  issuer.answer(undefined)
  t.is(outcome(await verify(known)), 'admin')
  for (const [status, body] of [
    [503, ''],
    [200, 'not JSON'],
    [200, '{"keys":"none"}'],
    [302, ''],
  ] as const) {
    issuer.answer(status, body)
    t.is(outcome(await verify(known)), 'admin', `${status} ${body}`)
    await t.throwsAsync(verify(unknown), { instanceOf: Fault }, `${status} ${body}`)
    t.is(outcome(await verify(await forged(issuer, {}))), 'signature')
  }
  issuer.answer(undefined)
  t.is(outcome(await verify(unknown)), 'key')
})

test('what was known of an issuer that stays away is forgotten after a while', async (t) => {
  const issuer = await startIssuer(t)
  const verify = verifierOf(issuer, { cooldownMs: 0, freshMs: 0, downMs: 0, rememberedMs: -1 })
  const known = await issuer.sign(ops)
  t.is(outcome(await verify(known)), 'admin')
  issuer.answer(500)
  await t.throwsAsync(verify(known), { instanceOf: Fault })
})

test('a configuration that names another issuer, or keys without https, is not followed', async (t) => {
  const issuer = await startIssuer(t)
  const token = await issuer.sign(ops)
  for (const said of [
    { issuer: 'https://other.example', jwks_uri: `${issuer.url}/keys` },
    { issuer: issuer.url, jwks_uri: 'http://keys.example/keys' },
    { issuer: issuer.url },
  ]) {
    issuer.answer(200, JSON.stringify(said))
    await t.throwsAsync(verifierOf(issuer)(token), { instanceOf: Fault })
  }
  t.is(issuer.asked(), 0)
})

test('the claim of the role is found by its whole name first, then by its path', (t) => {
  const role = (claims: object, claim: string) => roleOf({ ...claims }, { claim, values })
  t.is(role({ 'https://x.example/roles': ['ops'] }, 'https://x.example/roles'), 'admin')
  t.is(role({ realm_access: { roles: ['finance', 7] } }, 'realm_access.roles'), 'billing')
  t.is(role({ groups: { ops: true } }, 'groups'), undefined)
  t.is(role({ groups: ['OPS', 'ops '] }, 'groups'), undefined)
  t.is(role({}, 'constructor.name'), undefined)
  t.deepEqual(readRoleValues('admin=ops, admin=root,billing=finance'), {
    admin: ['ops', 'root'],
    billing: ['finance'],
    viewer: ['viewer'],
  })
  for (const wrong of ['', 'admin', 'admin=', 'root=x', 'admin=a=b', 'admin=a,']) t.is(readRoleValues(wrong), undefined)
})
