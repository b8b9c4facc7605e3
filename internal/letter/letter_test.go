package letter

import (
	"slices"
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

// TestBuiltInLetters reads what a mail program without HTML shows: no markup, and each address on its own, so that it ends where it ends.
func TestBuiltInLetters(t *testing.T) {
	fields := map[string]string{"user.name": "Ann & <b>Co</b> [a](b)", "realm.name": "Shop", "token": "kpw_x", "token.until": "30 November 2026, 10:05 UTC", "link": "https://app.example.com/auth/reset-password?token=kpw_x"}
	h := &core.AppHook{EventTypes: []string{"user.password_token.created"}}
	l, err := Write(h, fields)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"Hello Ann & <b>Co</b> [a](b),", "Set a new password <" + fields["link"] + ">", "kpw_x",
		"The code is good until 30 November 2026, 10:05 UTC, and once. If you did not ask for this, you need do nothing: your password stays as it is."} {
		if !slices.Contains(strings.Split(l.Text, "\n"), line) {
			t.Errorf("Write = %s\nwant a line %q", l.Text, line)
		}
	}
	if !strings.Contains(l.HTML, `<a href="`+fields["link"]+`">Set a new password</a>`) || !strings.Contains(l.HTML, "Ann &amp; &lt;b&gt;") {
		t.Errorf("Write = %s; want a link and the name as text", l.HTML)
	}
	delete(fields, "link")
	if l, err = Write(h, fields); err != nil || strings.Contains(l.Text, "Set a new password <") || !strings.Contains(l.Text, "\nkpw_x\n") {
		t.Errorf("Write without a link = %s, %v; want the code alone", l.Text, err)
	}
}
