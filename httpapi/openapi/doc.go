// Package openapi holds the OpenAPI 3.1 document of /v1. It is written by hand, a file a resource in the folder
// document, and joined when it is first asked for: as JSON, as YAML, and as a page for people to read. httpapi serves all
// three; its tests hold the document against the table of routes and against every answer that they get.
package openapi
