// Has users sign in at real OpenID providers, of npm's certified oidc-provider, and 'postern serve' take their tokens: with the snippets of
// docs/issuers.md, while the providers change their keys, and while they are away.
//
//   node provider.mjs BINARY FOLDER
//
// FOLDER is for what postern writes. Ends non-zero at the first surprise.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import * as jose from 'jose'
import { Provider } from 'oidc-provider'
import { guarded, serve } from './site.mjs'

const [binary, folder] = process.argv.slice(2)
const docs = readFileSync(new URL('../../docs/issuers.md', import.meta.url), 'utf8')
const client = { client_id: 'web', client_secret: 'a secret of the client', redirect_uris: ['http://127.0.0.1:9/back'], grant_types: ['authorization_code', 'client_credentials'] }
const algs = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA']
const patience = 120_000 // milliseconds, on however busy a machine
let checks = 0

// newKey returns a private key as a provider is configured with it.
async function newKey(alg, kid = alg) {
  const { privateKey } = await jose.generateKeyPair(alg, { extractable: true })
  return { ...await jose.exportJWK(privateKey), kid, alg, use: 'sig' }
}

// host is an address at which providers can be, each below a path of its own, and replaced by another.
async function host() {
  const answers = {}
  const { server, url } = await serve((request, answer) => {
    const path = Object.keys(answers).find((p) => request.url.startsWith(`${p}/`))
    request.originalUrl = request.url
    request.url = request.url.slice(path.length)
    answers[path](request, answer)
  })
  return { server, url, at(path, issuer, keys, says) { answers[path] = newProvider(issuer, keys, says).callback() } }
}

// newProvider returns a provider whose users are who they say at sign-in. Access tokens are for the API that is asked for, and signed with the algorithm
// in its query, else with the first key's. says has more claims of access tokens and of ID tokens, and what else they are to be like.
function newProvider(issuer, keys, says) {
  const provider = new Provider(issuer, {
    jwks: { keys },
    clients: [{ id_token_signed_response_alg: keys[0].alg, ...client, ...says.client }],
    cookies: { keys: ['for cookies'] },
    claims: { openid: ['sub', 'hd', 'email', 'email_verified', 'preferred_username', 'name'] },
    conformIdTokenClaims: false,
    findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, ...says.id }) }),
    loadExistingGrant,
    enabledJWA: { idTokenSigningAlgValues: algs },
    ttl: { AccessToken: says.ttl ?? 300, ClientCredentials: says.ttl ?? 300, IdToken: says.ttl ?? 300, Interaction: 60, Session: 60, Grant: 60 },
    formats: { customizers: { jwt: (_, token, jwt) => { Object.assign(jwt.payload, says.access, says.aud && { aud: says.aud }); if (says.typ) jwt.header = { typ: says.typ } } } },
    features: {
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource) => ({
          scope: 'read', audience: says.audience ?? resource, accessTokenFormat: 'jwt', jwt: { sign: { alg: new URL(resource).searchParams.get('alg') ?? keys[0].alg } },
        }),
      },
    },
  })
  provider.on('server_error', (_, err) => console.error(err))
  return provider
}

// loadExistingGrant lets the client have what it asks for.
async function loadExistingGrant(ctx) {
  const { client, params, provider, session } = ctx.oidc
  const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId })
  grant.addOIDCScope('openid')
  if (params.resource) grant.addResourceScope(params.resource, 'read')
  await grant.save()
  return grant
}

// tokenFrom returns what the token endpoint that the discovery document names says.
async function tokenFrom(issuer, form, at = client) {
  const discovery = await fetch(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`).then((r) => r.json())
  assert.equal(discovery.issuer, issuer)
  const basic = Buffer.from(`${encodeURIComponent(at.client_id)}:${encodeURIComponent(client.client_secret)}`).toString('base64')
  const answer = await fetch(discovery.token_endpoint, { method: 'POST', headers: { Authorization: `Basic ${basic}` }, body: new URLSearchParams(form) })
  const body = await answer.json()
  assert.equal(answer.status, 200, JSON.stringify(body))
  return body
}

// machine returns an access token of the client's own, for an API.
const machine = (issuer, resource) => tokenFrom(issuer, { grant_type: 'client_credentials', resource, scope: 'read' }).then((t) => t.access_token)

// signIn signs a user in as a browser does (OpenID Connect Core §3.1), and returns ID token and access token.
async function signIn(issuer, user, resource, at = client) {
  const discovery = await fetch(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`).then((r) => r.json())
  const verifier = randomBytes(32).toString('base64url')
  let to = `${discovery.authorization_endpoint}?${new URLSearchParams({
    client_id: at.client_id, response_type: 'code', redirect_uri: client.redirect_uris[0], scope: 'openid read', nonce: 'n', ...(resource && { resource }),
    code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256',
  })}`
  const cookies = new Map()
  for (let hops = 0; !to.startsWith(client.redirect_uris[0]); hops++) {
    assert.ok(hops < 10, `no end of redirects: ${to}`)
    const form = to.includes('/interaction/') && { method: 'POST', body: new URLSearchParams({ prompt: 'login', login: user, password: 'any' }) }
    const answer = await fetch(to, { redirect: 'manual', headers: { Cookie: [...cookies].map((c) => c.join('=')).join('; ') }, ...form })
    for (const [, name, value] of (answer.headers.get('set-cookie') ?? '').matchAll(/(?:^|, )(_[^=]+)=([^;]*)/g)) cookies.set(name, value)
    assert.ok(answer.headers.get('location'), `${to} = ${answer.status} ${await answer.text()}`)
    to = new URL(answer.headers.get('location'), to).href
  }
  const code = new URL(to).searchParams.get('code')
  assert.ok(code, to)
  return tokenFrom(issuer, { grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: client.redirect_uris[0], ...(resource && { resource }) }, at)
}

// letIn checks that a token gets somebody in, and what the app is told.
async function letIn(site, what, token, told) {
  const { status, body } = await site.ask(token)
  assert.equal(status, 200, `${what}: ${JSON.stringify(body)}`)
  for (const [name, value] of Object.entries(told)) assert.equal(body[name], value, `${what}: ${name}`)
  checks++
}

// inTime returns one of the tokens that issue returns, which are good for moments, once it got somebody in. Those before it were too late.
async function inTime(site, what, issue, told) {
  for (const start = Date.now(); Date.now() - start < patience;) {
    const token = await issue()
    const { status, body } = await site.ask(token)
    if (status === 401 && JSON.stringify(body).includes('expired')) continue
    assert.equal(status, 200, `${what}: ${JSON.stringify(body)}`)
    for (const [name, value] of Object.entries(told)) assert.equal(body[name], value, `${what}: ${name}`)
    checks++
    return token
  }
  assert.fail(`${what}: never in time`)
}

// keptOut checks that it does not, and why.
async function keptOut(site, what, token, status, reason) {
  const { status: got, headers, body } = await site.ask(token)
  assert.equal(got, status, `${what}: ${JSON.stringify(body)}`)
  assert.ok(JSON.stringify(body).includes(reason), `${what}: ${JSON.stringify(body)}`)
  assert.equal(status === 503, headers.has('retry-after'), what)
  checks++
}

// snippet returns the YAML of a section of the page, as it is but for where its issuer is; for this machine, that must be allowed.
function snippet(section, written, issuer) {
  const [, yaml] = docs.slice(docs.indexOf(`\n## ${section}\n`)).match(/```yaml\n(.*?)```/s)
  assert.ok(yaml.includes(`    issuer: ${written}\n`), `${section}: ${yaml}`)
  return yaml.replace(`    issuer: ${written}\n`, `    issuer: ${issuer}\n    allow: [127.0.0.1]\n`)
}

// eventually waits until an answer is as it should be; what else is answered meanwhile must be one of these.
async function eventually(site, token, status, ...meanwhile) {
  for (const start = Date.now(); Date.now() - start < patience; await pause(200)) {
    const got = (await site.ask(token)).status
    if (got === status) return checks++
    assert.ok(meanwhile.includes(got), `answered ${got} while waiting for ${status}`)
  }
  assert.fail(`no ${status} within ${patience} ms`)
}

// snippets runs those of the page, each before a provider whose tokens have the form that the section tells of.
async function snippets() {
  const key = await newKey('RS256')
  const mail = { email: 'ada@example.com', email_verified: true }
  for (const { section, written, path, says, told, permission, idToken } of [
    {
      section: 'Keycloak', written: 'https://login.example.com/realms/shop', path: '/realms/shop', permission: 'orders:read',
      says: { audience: 'shop-api', typ: 'JWT', access: { preferred_username: 'ada', name: 'Ada', ...mail, resource_access: { 'shop-api': { roles: ['orders:read'] } } } },
      told: { 'x-postern-user-id': 'keycloak:u1', 'x-postern-username': 'ada', 'x-postern-email': 'ada@example.com' },
    }, {
      section: 'Auth0', written: 'https://example.eu.auth0.com/', path: '', permission: 'read:orders',
      says: { aud: ['https://api.example.com', 'https://example.eu.auth0.com/userinfo'], access: { permissions: ['read:orders'], 'https://example.com/email': 'ada@example.com', 'https://example.com/email_verified': true } },
      told: { 'x-postern-user-id': 'auth0:u1', 'x-postern-email': 'ada@example.com' },
    }, {
      section: 'Entra ID', written: 'https://login.microsoftonline.com/00000000-0000-0000-0000-000000000000/v2.0', path: '/00000000-0000-0000-0000-000000000000/v2.0', permission: 'Orders.Read',
      says: { audience: '11111111-1111-1111-1111-111111111111', typ: 'JWT', access: { oid: '22222222-2222-2222-2222-222222222222', preferred_username: 'ada@example.com', email: 'ada@example.com', roles: ['Orders.Read'], ver: '2.0' } },
      told: { 'x-postern-user-id': 'entra:22222222-2222-2222-2222-222222222222', 'x-postern-username': 'ada@example.com', 'x-postern-email': undefined },
    }, {
      section: 'Google', written: 'https://accounts.google.com', path: '/google', idToken: true,
      says: { client: { client_id: '1234567890-abc.apps.googleusercontent.com' }, id: { hd: 'example.com', name: 'Ada', ...mail } },
      told: { 'x-postern-user-id': 'google:u1', 'x-postern-email': 'ada@example.com' },
    },
  ]) {
    const { url, at } = await host()
    const issuer = written.endsWith('/') ? `${url}${path}/` : `${url}${path}`
    at(path, issuer, [key], says)
    const site = await guarded(binary, folder, snippet(section, written, issuer) + (permission ? `require: ${permission}\n` : ''))
    const tokens = await signIn(issuer, 'u1', idToken ? undefined : 'https://api.example.com', says.client)
    await letIn(site, section, idToken ? tokens.id_token : tokens.access_token, told)
    await keptOut(site, `${section}: the token that is for others`, idToken ? tokens.access_token : tokens.id_token, 401, 'invalid_token')
    if (idToken) {
      at(path, issuer, [key], { ...says, id: { ...mail, hd: 'elsewhere.example' } })
      await keptOut(site, `${section}: another organisation`, (await signIn(issuer, 'u2', undefined, says.client)).id_token, 401, 'invalid_token')
    }
    await site.stop()
  }
}

// algorithms has access tokens (RFC 9068) and ID tokens signed with all that the provider can do, and refuses what is not for us.
async function algorithms() {
  const { url, at } = await host()
  const keys = await Promise.all(algs.map((alg) => newKey(alg)))
  const says = { audience: 'https://api.example.com', id: { preferred_username: 'ada' }, access: { preferred_username: 'ada' } }
  at('/op', `${url}/op`, keys, says)
  at('/short', `${url}/short`, keys, { ...says, ttl: 2 })
  at('/stranger', `${url}/stranger`, keys, says)
  const issuer = (name, path, more) => `  - {name: ${name}, issuer: ${url}/${path}, audience: ["https://api.example.com", web], allow: [127.0.0.1]${more}}\n`
  const site = await guarded(binary, folder, `issuers:\n${issuer('op', 'op', '')}${issuer('short', 'short', ', algorithms: [ES384]')}`)
  const api = 'https://api.example.com'
  for (const alg of algs) {
    const token = await machine(`${url}/op`, `${api}?alg=${alg}`)
    assert.deepEqual(jose.decodeProtectedHeader(token), { alg, typ: 'at+jwt', kid: alg })
    await letIn(site, `access token, ${alg}`, token, { 'x-postern-user-id': 'op:web', 'x-postern-username': 'ada' })
  }
  const { id_token: id, access_token: access } = await signIn(`${url}/op`, 'u1', api)
  await letIn(site, 'ID token', id, { 'x-postern-user-id': 'op:u1', 'x-postern-username': 'ada' })
  await letIn(site, 'access token of a user', access, { 'x-postern-user-id': 'op:u1' })
  await keptOut(site, 'an issuer that is not configured, with the same keys', await machine(`${url}/stranger`, api), 401, 'invalid_token')
  await keptOut(site, 'an algorithm that this issuer may not use', await machine(`${url}/short`, `${api}?alg=ES256`), 401, 'algorithm')
  const opaque = await signIn(`${url}/op`, 'u1')
  await keptOut(site, 'an opaque access token', opaque.access_token, 401, 'invalid_token')
  const brief = await inTime(site, 'a token of two seconds', () => machine(`${url}/short`, `${api}?alg=ES384`), { 'x-postern-user-id': 'short:web' })
  await eventually(site, brief, 401, 200)
  await keptOut(site, 'the same, expired', brief, 401, 'expired')
  at('/op', `${url}/op`, keys, { ...says, audience: 'https://other.example.com' })
  await keptOut(site, 'a token for another API', await machine(`${url}/op`, api), 401, 'audience')
  await site.stop()
}

// rotation follows a provider through new keys, its absence and its return.
async function rotation() {
  const { server, url, at } = await host()
  const issuer = `${url}/op`
  const says = { audience: 'https://api.example.com' }
  const [first, second, third] = await Promise.all(['first', 'second', 'third'].map((kid) => newKey('ES256', kid)))
  const settings = `issuers:\n  - {name: op, issuer: ${issuer}, audience: ["https://api.example.com"], allow: [127.0.0.1], skew: 1s}\n`
  const token = async (...keys) => { at('/op', issuer, keys, says); return machine(issuer, 'https://api.example.com') }
  const old = await token(first)
  const site = await guarded(binary, folder, settings)
  await letIn(site, 'before', old, {})

  const newer = await token(second, first)
  await eventually(site, newer, 200, 503)
  await letIn(site, 'the key before, still published', old, {})
  const newest = await token(third, second)
  await eventually(site, newest, 200, 503)
  await eventually(site, old, 401, 503) // it may be new as long as it is younger than the keys

  const another = await token(third)
  const unknown = await token(await newKey('ES256', 'fourth'))
  server.closeAllConnections()
  const { port } = server.address()
  await new Promise((done) => server.close(done))
  await letIn(site, 'a new token, with the provider away', another, {})
  await keptOut(site, 'a key that nobody can ask about', unknown, 503, 'unknown_key')
  await site.stop()
  const late = await guarded(binary, folder, settings)
  await keptOut(late, 'with keys that were never had', another, 503, 'issuer_unavailable')
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  await eventually(late, unknown, 200, 503)
  await eventually(late, another, 401, 503)
  await late.stop()
}

console.info = console.warn = () => {} // the provider says that it is not for production, which this is not
await Promise.all([snippets(), algorithms(), rotation()])
console.log(`real OpenID providers: ${checks} checks passed`)
process.exit(0)
