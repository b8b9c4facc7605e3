// Package conform holds answers against an OpenAPI document. It is for tests alone, knows the part of JSON Schema that the
// document of /v1 uses, and refuses a document that uses more: a keyword that is passed over would check nothing.
//
// It is stricter than JSON Schema in one thing: a member of an object that no schema names is wrong, unless
// additionalProperties allows for it. The document itself leaves that open, so that clients bear what is added later.
package conform
