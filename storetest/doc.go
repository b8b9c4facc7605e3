// Package storetest holds a core.Store to the text of its contract. Every implementation runs it, each time on a
// database of its own:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) core.Store { return openTemp(t) })
//	}
//
// An implementation that several processes may open at once runs RunShared too. Run also compares the
// store with a model, the contract in plain maps, over histories that are random but the same each time.
//
// Time never passes here: the tests pass in the times they need. What needs the store's own clock to
// move (tidying up) is the implementation's to test.
package storetest
