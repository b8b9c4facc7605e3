// Checks the OpenAPI document with others' code: its form against OpenAPI's own schema, and its schemas and their examples with
// Ajv, a validator of JSON Schema.
//
//   node openapi.mjs FACTS
//
// FACTS is what 'postern dev --json' prints. Ends non-zero where anything is wrong.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { Validator } from '@seriousme/openapi-schema-validator'
import Ajv from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import YAML from 'yaml'

const facts = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const get = async (path, headers) => {
  const answer = await fetch(facts.api_url + path, { headers })
  assert.equal(answer.status, 200, path)
  return answer.text()
}
const document = JSON.parse(await get('/openapi.json'))
assert.ok(isDeepStrictEqual(YAML.parse(await get('/openapi.yaml')), document), 'the document as YAML is another than that as JSON')

const validator = new Validator()
const result = await validator.validate(structuredClone(document))
assert.ok(result.valid, `the document is no OpenAPI document: ${JSON.stringify(result.errors, null, 2)}`)
assert.equal(validator.version, '3.1')
validator.resolveRefs() // throws where one leads nowhere
assert.throws(() => new Ajv.default().compile({ type: 'nothing' }), 'a validator that refuses nothing')

const ajv = new Ajv.default({ strict: true, strictTypes: false, strictRequired: false, allErrors: true })
formats.default(ajv)
ajv.addVocabulary(['components'])
ajv.addSchema({ $id: 'https://postern.invalid/api', components: { schemas: document.components.schemas } }, undefined, undefined, false)
const compiled = (name) => ajv.compile({ $ref: `https://postern.invalid/api#/components/schemas/${name}` })
let examples = 0
for (const [name, schema] of Object.entries(document.components.schemas)) {
  const validate = compiled(name)
  for (const example of schema.examples ?? []) {
    assert.ok(validate(example), `the example of ${name}: ${ajv.errorsText(validate.errors)}`)
    examples++
  }
}

// Two real answers, one of which is long.
const headers = { 'X-Authrocket-Api-Key': facts.management_key, 'X-Authrocket-Realm': facts.realm_id }
for (const [path, name] of [[`/realms/${facts.realm_id}`, 'Realm'], ['/users?max_results=5', 'UserList']]) {
  const validate = compiled(name)
  assert.ok(validate(JSON.parse(await get(path, headers))), `${path} is no ${name}: ${ajv.errorsText(validate.errors)}`)
}
console.log(`openapi: ${Object.keys(document.paths).length} paths, ${Object.keys(document.components.schemas).length} schemas and ${examples} examples are in order`)
