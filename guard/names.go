package guard

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Names are the identity headers of all guards that share them. Each of these guards removes them all from every
// request: what one guard tells an application, no client may tell it on a path that another guards. A name that was
// there once stays. The zero Names has none. Safe for concurrent use.
type Names struct {
	mu     sync.Mutex
	folded atomic.Pointer[[]string] // without those that begin with prefix, which are always owned
}

// add adds a guard's names.
func (n *Names) add(headers identityHeaders) {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := slices.Clone(n.list())
	for i := range headers {
		if name := headers[i].folded; !n.owns(name) && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	n.folded.Store(&all)
}

// list returns the names, which nobody alters.
func (n *Names) list() []string {
	if all := n.folded.Load(); all != nil {
		return *all
	}
	return nil
}

// owns reports whether a name is, folded, that of an identity header.
func (n *Names) owns(name string) bool {
	if foldsToOurs(name) {
		return true
	}
	for _, folded := range n.list() {
		if foldsTo(name, folded) {
			return true
		}
	}
	return false
}

// named reports whether a header whose value is a list of names, such as Connection, names an identity header.
func (n *Names) named(values []string) bool {
	for _, v := range values {
		for name := range strings.SplitSeq(v, ",") {
			if n.owns(strings.Trim(name, " \t")) {
				return true
			}
		}
	}
	return false
}

// misspelt reports whether a header folds to the name of an identity header, ours or of other programs that stand before apps, or of one that names another
// path or method or where the app is, and is not spelled as one: with letters, digits and hyphens.
func (n *Names) misspelt(h http.Header) bool {
	for name := range h {
		if !isPlainName(name) && (n.owns(name) || isGatekeepers(name) || overridesPath(name) || namesMethod(name) || namesPlace(name)) {
			return true
		}
	}
	return false
}

// strip removes all identity headers, those of other programs that stand before apps too, those that name another path, and those that name another
// method, or where the app is, where nobody looked.
func (n *Names) strip(h http.Header) {
	for name := range h {
		if n.owns(name) || isGatekeepers(name) || overridesPath(name) || (namesMethod(name) || namesPlace(name)) && !isPlainName(name) {
			delete(h, name)
		}
	}
}
