// Package difftest plays the same random calls against every store at hand and compares what they answer: what one
// store does, each must do. Package storetest holds each of them to the contract; here they are held to each other,
// so that the hosts' choice of a store is never a choice of behaviour.
//
// It has tests only. They play a few histories, always the same; more of them, or others:
//
//	go test ./internal/difftest -rapid.checks=2000 -rapid.seed=0
//
// A history that ends in a difference is made as short as it can be, and printed call by call.
package difftest
