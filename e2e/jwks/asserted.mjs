// Has the code that docs/guard.md shows for Node check assertions.
//
//   node asserted.mjs TOKENS CODE ELSEWHERE
//
// TOKENS is what interop.mjs writes, CODE a file with that code, ELSEWHERE one with that of another application. Ends non-zero at the first surprise.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const [tokens, code, elsewhere] = process.argv.slice(2, 5)
const cases = JSON.parse(readFileSync(tokens, 'utf8'))
let checks = 0

const Clock = Date

// at has jose judge by a clock that stands.
const at = (seconds) => {
  globalThis.Date = class extends Clock {
    constructor() {
      super(seconds * 1000)
    }

    static now() {
      return seconds * 1000
    }
  }
}

// load returns the function that a file has, made anew for a realm.
const load = async (file, realm) => (await import(`${pathToFileURL(file)}?${realm}`)).who

for (const { realm, issuer, jwks, token, assertion } of cases) {
  process.env.POSTERN_KEYS = jwks
  process.env.POSTERN_ISSUER = issuer
  const who = await load(code, realm)
  assert.equal((await who(assertion)).preferred_username, 'ann')
  await assert.rejects((await load(elsewhere, realm))(assertion), 'an assertion for another application is accepted')
  const [header, claims, signature] = assertion.split('.')
  const { exp } = JSON.parse(Buffer.from(claims, 'base64url'))
  at(exp + 20)
  await who(assertion) // by a clock that is ahead
  at(exp + 40)
  await assert.rejects(who(assertion), 'an assertion that has expired is accepted')
  globalThis.Date = Clock
  const other = Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(claims, 'base64url')), sub: 'usr_1' })).toString('base64url')
  const none = Buffer.from('{"alg":"none","typ":"assertion+jwt"}').toString('base64url')
  const forged = [undefined, '', 'x', token, `${header}.${other}.${signature}`, `${none}.${claims}.`, ...cases.filter((c) => c.realm !== realm).map((c) => c.assertion)]
  for (const text of forged) {
    await assert.rejects(who(text), `${text} is accepted`)
    checks++
  }
}
console.log(`docs/guard.md in Node: ${checks} forgeries refused`)
