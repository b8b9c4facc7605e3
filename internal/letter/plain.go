package letter

import (
	"html"
	"regexp"
	"strings"
)

// What of HTML matters for its plain form.
var (
	invisible  = regexp.MustCompile(`(?is)<(style|script|head)\b.*?</(style|script|head)>|<!--.*?-->`)
	link       = regexp.MustCompile(`(?is)<a\b[^>]*\bhref="([^"]*)"[^>]*>(.*?)</a>`)
	blockEnd   = regexp.MustCompile(`(?i)<br\s*/?>|</(p|div|h[1-6]|li|tr|table|ul|ol)>`)
	tag        = regexp.MustCompile(`(?s)<[^>]*>`)
	spaces     = regexp.MustCompile(`[ \t]+`)
	blankLines = regexp.MustCompile(`\n\s*\n\s*`)
)

// plain returns what HTML says without its markup. Links become their text and their address, which angle brackets keep from what
// follows (RFC 3986, Appendix C).
func plain(text string) string {
	text = invisible.ReplaceAllString(text, "")
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = link.ReplaceAllString(text, "$2 &lt;$1&gt;")
	text = blockEnd.ReplaceAllString(text, "\n\n")
	text = tag.ReplaceAllString(text, "")
	text = spaces.ReplaceAllString(html.UnescapeString(text), " ")
	return strings.TrimSpace(blankLines.ReplaceAllString(text, "\n\n")) + "\n"
}
