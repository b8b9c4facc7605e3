package letter

import (
	"strings"
	"testing"

	"github.com/postern-auth/postern/core"
)

// TestValuesAreText holds that what a value holds is never markup, a line of the head, or another field.
func TestValuesAreText(t *testing.T) {
	const hostile = "<script>x</script>[a](javascript:x)\r\nBcc: all@example.com {{token}}"
	for _, renderer := range []core.Renderer{core.RenderMarkdown, core.RenderHTML, core.RenderHTMLText, core.RenderText} {
		h := &core.AppHook{EventTypes: []string{"user.updated"}, Letter: core.Letter{Subject: "Hi {{user.name}}", Template: "Hi {{user.name}}", Renderer: renderer}}
		l, err := Write(h, map[string]string{"user.name": hostile, "token": "kv_secret"})
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(l.Subject, "\r\n") || strings.Contains(l.HTML, "<script") || strings.Contains(l.HTML, "href") || strings.Contains(l.Subject+l.Text+l.HTML, "kv_secret") {
			t.Errorf("%s: Write = %+v; want the value as text", renderer, l)
		}
	}
}
