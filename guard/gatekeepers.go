package guard

// gatekeepers are the headers by which other programs that stand before apps tell them who somebody is, folded; one that ends with a hyphen
// stands for all that begin so. They are Authelia's, which are also CGI's REMOTE_USER as a header, oauth2-proxy's, authentik's, Grafana's and
// Kubernetes'. An app that stood behind one of these goes on believing them.
var gatekeepers = [...]string{
	"remote-user", "remote-groups", "remote-name", "remote-email",
	"x-forwarded-user", "x-forwarded-email", "x-forwarded-groups", "x-forwarded-preferred-username", "x-forwarded-access-token",
	"x-auth-request-", "x-authentik-", "x-webauth-", "x-remote-user", "x-remote-group", "x-remote-groups", "x-remote-extra-",
}

// isGatekeepers reports whether a header, by its name in any spelling, is one of theirs.
func isGatekeepers(name string) bool {
	if len(name) < len("remote-user") {
		return false
	}
	if first := fold(name[0]); first != 'r' && first != 'x' { // as of nearly all
		return false
	}
	for _, theirs := range &gatekeepers {
		whole := theirs[len(theirs)-1] != '-'
		if whole && foldsTo(name, theirs) || !whole && len(name) > len(theirs) && foldsTo(name[:len(theirs)], theirs) {
			return true
		}
	}
	return false
}
