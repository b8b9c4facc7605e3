// Is an issuer of tokens, with jose and PyJWT, and an app; and has 'postern serve' stand in front of the app, for the issuer's users.
//
//   node foreign.mjs BINARY FOLDER PYTHON
//
// FOLDER is for what postern writes. Ends non-zero at the first surprise.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHmac } from 'node:crypto'
import * as jose from 'jose'
import { guarded, serve } from './site.mjs'

const [binary, folder, python] = process.argv.slice(2)
const algs = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA']
const audience = 'https://api.example.com'
const now = () => Math.floor(Date.now() / 1000)
let checks = 0

// makeKeys returns a private key for each algorithm, as JWK. As with Entra ID, the RSA key for RS256 is published without alg.
async function makeKeys() {
  const keys = {}
  for (const alg of algs) {
    const { privateKey } = await jose.generateKeyPair(alg, { extractable: true })
    keys[alg] = { ...await jose.exportJWK(privateKey), kid: `key for ${alg}`.replaceAll(' ', '-') }
  }
  return keys
}

const keys = await makeKeys()
const published = algs.map((alg) => {
  const { kty, crv, n, e, x, y, kid } = keys[alg]
  return { kty, crv, n, e, x, y, kid, use: 'sig', ...(alg !== 'RS256' && { alg }) }
})
published.push({ kty: 'AKP', alg: 'ML-DSA-44', pub: 'AAAA', kid: 'of-tomorrow' }, { kty: 'oct', k: 'c2VjcmV0', kid: 'shared', alg: 'HS256' })
const { url: issuer } = await serve((request, answer) => {
  answer.setHeader('Content-Type', 'application/json')
  if (request.url === '/.well-known/openid-configuration') return answer.end(JSON.stringify({ issuer, jwks_uri: `${issuer}/keys` }))
  if (request.url === '/keys') return answer.end(JSON.stringify({ keys: published }))
  answer.writeHead(404).end()
})

// claims are those of a good token, with some changed.
const claims = (change) => ({
  iss: issuer, sub: 'u1', aud: [audience, 'other'], iat: now(), exp: now() + 300, preferred_username: 'ada', email: 'ada@example.com', email_verified: true,
  realm_access: { roles: ['app:read'] }, ...change,
})

// signed returns a token that jose signs.
async function signed(alg, change, header) {
  return new jose.SignJWT(claims(change)).setProtectedHeader({ alg, kid: keys[alg].kid, typ: 'JWT', ...header }).sign(await jose.importJWK(keys[alg], alg))
}

// hmac returns a token whose secret is a public key, which anybody can make.
async function hmac(alg) {
  const pem = await jose.exportSPKI(await jose.importJWK(published.find((k) => k.kid === keys[alg].kid), alg))
  const parts = [{ alg: 'HS256', kid: keys[alg].kid, typ: 'JWT' }, claims()].map((p) => Buffer.from(JSON.stringify(p)).toString('base64url')).join('.')
  return `${parts}.${createHmac('sha256', pem).update(parts).digest('base64url')}`
}

const { ask, stop } = await guarded(binary, folder, `require: app:read
issuers:
  - name: node
    issuer: ${issuer}
    audience: ["${audience}"]
    allow: [127.0.0.1]
    claims: {permissions: /realm_access/roles}
`)

// letIn checks that a token gets somebody in, and that the app is told who.
async function letIn(what, token, id = 'node:u1') {
  const { status, body } = await ask(token)
  assert.equal(status, 200, `${what}: ${JSON.stringify(body)}`)
  assert.equal(body['x-postern-user-id'], id, what)
  assert.equal(body['x-postern-username'], 'ada', what)
  assert.equal(body['x-postern-email'], 'ada@example.com', what)
  assert.equal(body.authorization, undefined, what)
  checks++
}

// keptOut checks that it does not.
async function keptOut(what, token, status = 401) {
  const answer = await ask(token)
  assert.equal(answer.status, status, `${what}: ${JSON.stringify(answer.body)}`)
  checks++
}

try {
  for (const alg of algs) {
    await letIn(`jose, ${alg}`, await signed(alg))
    await letIn(`jose, ${alg}, as RFC 9068 has it`, await signed(alg, {}, { typ: 'at+jwt', x5t: 'abc' }))
  }
  const tokens = JSON.parse(execFileSync(python, [new URL('sign.py', import.meta.url).pathname], { input: JSON.stringify({ keys, claims: claims({ sub: 'u2' }) }) }))
  assert.deepEqual(Object.keys(tokens), algs)
  for (const alg of algs) await letIn(`PyJWT, ${alg}`, tokens[alg], 'node:u2')

  for (const alg of algs) {
    await keptOut(`${alg}, for others`, await signed(alg, { aud: 'other' }))
    await keptOut(`${alg}, expired`, await signed(alg, { exp: now() - 1 }))
    await keptOut(`${alg}, not yet`, await signed(alg, { nbf: now() + 600 }))
    await keptOut(`${alg}, another issuer's`, await signed(alg, { iss: `${issuer}/` }))
    await keptOut(`${alg}, without a role`, await signed(alg, { realm_access: { roles: [] } }), 403)
    const [header, , signature] = (await signed(alg)).split('.')
    await keptOut(`${alg}, other claims`, [header, Buffer.from(JSON.stringify(claims({ sub: 'root' }))).toString('base64url'), signature].join('.'))
    await keptOut(`${alg}, its public key as secret`, await hmac(alg))
  }
  await keptOut('no signature', new jose.UnsecuredJWT(claims()).encode())
  const own = await jose.generateKeyPair('ES256', { extractable: true })
  await keptOut('a key in its header', await new jose.SignJWT(claims()).setProtectedHeader({ alg: 'ES256', jwk: await jose.exportJWK(own.publicKey) }).sign(own.privateKey))
  await keptOut('the kid of another', await new jose.SignJWT(claims()).setProtectedHeader({ alg: 'ES256', kid: keys.ES256.kid }).sign(own.privateKey))
  await keptOut('the shared key that was published', await new jose.SignJWT(claims()).setProtectedHeader({ alg: 'HS256', kid: 'shared' }).sign(Buffer.from('secret')))
  console.log(`an issuer with jose and PyJWT: ${checks} checks passed`)
} finally {
  await stop()
}
process.exit(0)
