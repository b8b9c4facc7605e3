// Signs account provider tokens (APT) with jose, and checks the session tokens that they are answered with.
//
//   node interop.mjs FACTS REALMS TOKENS
//
// FACTS is what 'postern dev --json' prints, REALMS what the program in realms/ prints. TOKENS is written: the tokens
// and where their keys are, for verify.py. Ends non-zero at the first surprise.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import * as jose from 'jose'

const [facts, realms] = process.argv.slice(2, 4).map((file) => JSON.parse(readFileSync(file, 'utf8')))
const providerAlgs = ['RS256', 'PS256', 'ES256', 'EdDSA']
const now = () => Math.floor(Date.now() / 1000)
let checks = 0

// call returns status and body of an API call.
async function call(method, path, headers, body) {
  const answer = await fetch(facts.api_url + path, { method, headers, body: body && JSON.stringify(body) })
  const text = await answer.text()
  return { status: answer.status, type: answer.headers.get('content-type'), body: text && JSON.parse(text), text }
}

const manage = (realm, method, path, body) =>
  call(method, path, { 'X-Authrocket-Api-Key': facts.management_key, 'X-Authrocket-Realm': realm.id, 'Content-Type': 'application/json' }, body)

const provide = (apt, id) =>
  call('POST', '/users', { Authorization: `Bearer ${apt}`, 'Content-Type': 'application/vnd.api+json' },
    { data: { type: 'user', attributes: { arbitrary_id: id } } })

// tampered changes one part of a token: its claims as rewrite says, or the first character of its signature.
function tampered(token, rewrite) {
  const [header, claims, signature] = token.split('.')
  if (!rewrite) return [header, claims, (signature[0] === 'A' ? 'B' : 'A') + signature.slice(1)].join('.')
  const changed = rewrite(JSON.parse(Buffer.from(claims, 'base64url')))
  return [header, Buffer.from(JSON.stringify(changed)).toString('base64url'), signature].join('.')
}

// refused checks that a token is, and says for what reason.
async function refused(what, token, keys, options, code) {
  await assert.rejects(jose.jwtVerify(token, keys, options), (e) => e.code === code || assert.fail(`${what}: ${e.code}; want ${code}`), `${what} is accepted`)
  checks++
}

// signUp makes a provider's key known to a realm, and users with APTs under it. It returns the last one's token.
async function signUp(realm, alg) {
  const { publicKey, privateKey } = await jose.generateKeyPair(alg, { extractable: true })
  const added = await manage(realm, 'POST', '/apt_keys',
    { apt_key: { name: `jose ${alg}`, public_key: await jose.exportSPKI(publicKey), alg } })
  assert.equal(added.status, 201, `add ${alg} key to ${realm.alg} realm: ${added.text}`)
  assert.equal(added.body.alg, alg)
  assert.equal(added.body.kid, await jose.calculateJwkThumbprint(await jose.exportJWK(publicKey)))

  const sign = (id, header) => new jose.SignJWT({ user: { environment_guid: realm.environment_guid, arbitrary_id: id } })
    .setProtectedHeader({ alg, ...header }).setIssuedAt().setExpirationTime('1m').setJti(`${id}-${Math.random()}`).sign(privateKey)
  let token
  for (const [n, header] of [{}, { typ: 'JWT' }, { kid: added.body.kid }].entries()) {
    const id = `acct-${alg}-${n}`
    const created = await provide(await sign(id, header), id)
    assert.equal(created.status, 201, `create by an APT with ${alg} ${JSON.stringify(header)}: ${created.text}`)
    token = created.body.data.attributes.token
    checks++
  }
  const forged = tampered(await sign('forged', {}), (c) => ({ ...c, user: { ...c.user, arbitrary_id: 'other' } }))
  for (const apt of [forged, tampered(await sign('forged', {}))]) {
    const answer = await provide(apt, 'forged')
    assert.equal(answer.status, 401, `create by a tampered APT with ${alg}: ${answer.text}`)
    checks++
  }
  return token
}

// keySet reads a realm's keys as anybody would, and checks that nothing private is among them.
async function keySet(realm) {
  const set = await call('GET', `/realms/${realm.id}/.well-known/jwks.json`, {})
  assert.equal(set.status, 200)
  assert.equal(set.type, 'application/jwk-set+json')
  for (const key of set.body.keys) {
    for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']) assert.ok(!(member in key), `${realm.alg}: ${member} of ${key.kid} is published`)
    assert.ok(key.kty !== 'oct' && !key.alg.startsWith('HS'), `${realm.alg}: a shared key is published`)
    assert.equal(key.kid, await jose.calculateJwkThumbprint(key), `${realm.alg}: kid`)
    checks++
  }
  return jose.createLocalJWKSet(set.body)
}

// verified checks a token of a realm in all that RFC 8725 asks for, and returns its claims.
async function verified(realm, token, keys, options) {
  const { payload, protectedHeader } = await jose.jwtVerify(token, keys, options)
  assert.equal(protectedHeader.alg, realm.alg)
  assert.deepEqual(Object.keys(protectedHeader), ['alg', 'kid', 'typ'])
  assert.ok(payload.exp > now() + 60 && payload.exp <= now() + 29 * 86400, `exp ${payload.exp}`)
  assert.ok(Math.abs(payload.iat - now()) < 60, `iat ${payload.iat}`)
  assert.match(payload.sub, /^usr_\w{22}$/)
  assert.equal(payload.user.id, payload.sub)
  checks++
  return payload
}

// asserted checks what a guard tells an application in X-Postern-Assertion, as the application would.
async function asserted(realm) {
  const options = { issuer: realm.issuer, audience: 'https://app.example.com', typ: 'assertion+jwt', algorithms: ['EdDSA'], requiredClaims: ['sub', 'exp', 'iat', 'jti'], maxTokenAge: '60s' }
  const { payload } = await jose.jwtVerify(realm.assertion, realm.keys, options)
  assert.equal(payload.preferred_username, 'ann')
  assert.equal(payload.exp - payload.iat, 60)
  checks++
  await refused('an assertion for another application', realm.assertion, realm.keys, { ...options, audience: 'https://other.example.com' }, 'ERR_JWT_CLAIM_VALIDATION_FAILED')
  await refused('an assertion as a session token', realm.assertion, realm.keys, { ...options, typ: 'session+jwt' }, 'ERR_JWT_CLAIM_VALIDATION_FAILED')
  await refused('an assertion with other claims', tampered(realm.assertion, (c) => ({ ...c, sub: 'usr_1' })), realm.keys, options, 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED')
}

// Assertions at once, as they are good for a minute.
for (const realm of realms) {
  realm.keys = await keySet(realm)
  await asserted(realm)
}
// All tokens first, so that each realm can be shown another's.
for (const realm of realms) {
  for (const alg of providerAlgs) realm.token = await signUp(realm, alg)
  realm.keys = await keySet(realm)
}
for (const realm of realms) {
  const options = { issuer: realm.issuer, audience: realm.id, typ: 'session+jwt', algorithms: [realm.alg], requiredClaims: ['sub', 'exp', 'iat', 'jti', 'sid'] }
  if (realm.alg === 'HS256') {
    assert.equal(jose.decodeProtectedHeader(realm.token).alg, 'HS256')
    await refused('an HS256 token under a JWKS', realm.token, realm.keys, options, 'ERR_JOSE_NOT_SUPPORTED')
    continue
  }
  const claims = await verified(realm, realm.token, realm.keys, options)
  await refused('other claims', tampered(realm.token, (c) => ({ ...c, sub: 'usr_0000000000000000000000' })), realm.keys, options, 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED')
  await refused('another signature', tampered(realm.token), realm.keys, options, 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED')
  await refused('no signature', new jose.UnsecuredJWT(claims).encode(), realm.keys, options, 'ERR_JOSE_ALG_NOT_ALLOWED')
  await refused('expired', realm.token, realm.keys, { ...options, currentDate: new Date((claims.exp + 1) * 1000) }, 'ERR_JWT_EXPIRED')
  await refused('another issuer', realm.token, realm.keys, { ...options, issuer: 'urn:other' }, 'ERR_JWT_CLAIM_VALIDATION_FAILED')
  await refused('another audience', realm.token, realm.keys, { ...options, audience: 'rl_other' }, 'ERR_JWT_CLAIM_VALIDATION_FAILED')
  await refused('another typ', realm.token, realm.keys, { ...options, typ: 'assertion+jwt' }, 'ERR_JWT_CLAIM_VALIDATION_FAILED')
  for (const other of realms.filter((r) => r !== realm && r.alg !== 'HS256')) {
    await refused(`a token of another realm (${other.alg})`, other.token, realm.keys, { ...options, algorithms: [other.alg] }, 'ERR_JWKS_NO_MATCHING_KEY')
  }
}
writeFileSync(process.argv[4], JSON.stringify(realms.map(({ alg, id, issuer, token, assertion }) =>
  ({ alg, realm: id, issuer, token, assertion, jwks: `${facts.api_url}/realms/${id}/.well-known/jwks.json` }))))
console.log(`jose ${JSON.parse(readFileSync(new URL('node_modules/jose/package.json', import.meta.url))).version}: ${checks} checks passed`)
