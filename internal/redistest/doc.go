// Package redistest gives tests a real Redis or Valkey server of their own, and a proxy that makes
// the way to it fail.
//
// Each and Shared hand out servers that the tests of one process share; each test keeps to a key prefix
// of its own. Start starts one that a test may pause, kill and restart. Servers are found in this order:
// the URL in POSTERN_TEST_REDIS (shared use only), what scripts/fetch-redis fetched, redis-server and
// valkey-server on PATH. Without any, a test is skipped, and fails where CI=true.
//
// Servers listen on loopback only, keep their files in the test's folder, and end with the test process.
package redistest
