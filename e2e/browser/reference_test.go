package browser

import (
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// look evaluates what a page is like.
func look[T any](b *browser, expression string) T {
	b.Helper()
	return learn(b, expression, chromedp.Evaluate[T](expression))
}

// likes sets what the person prefers, such as prefers-color-scheme: dark.
func (b *browser) likes(name, value string) {
	b.Helper()
	feature := &emulation.MediaFeature{Name: name, Value: value}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{feature}}); err != nil {
		b.Fatal(err)
	}
}

// TestReference reads the page about the API on a desk and on a telephone, by day and by night, and by keyboard.
func TestReference(t *testing.T) {
	f := start(t)
	b := open(t)
	const paper = `getComputedStyle(document.body).backgroundColor`
	b.likes("prefers-color-scheme", "light")
	b.do("go to the page", chromedp.Navigate(f.APIURL+"/docs"))
	b.reads("the page", "Sign in with a password")
	if light := look[string](b, paper); light != "rgb(244, 245, 246)" {
		t.Errorf("by day the page is %s: its style was not let in", light)
	}
	b.likes("prefers-color-scheme", "dark")
	if dark := look[string](b, paper); dark != "rgb(20, 23, 26)" {
		t.Errorf("by night the page is %s", dark)
	}
	b.likes("prefers-color-scheme", "light")

	b.do("press tab", chromedp.KeyEvent(kb.Tab))
	if at := look[string](b, `document.activeElement.textContent`); at != "Skip to the content" {
		t.Errorf("the first stop by keyboard is %q", at)
	}
	b.do("press enter", chromedp.KeyEvent(kb.Enter))
	b.becomes("the content is skipped to", `location.hash === "#content"`)
	b.do("follow a link of the contents", chromedp.Navigate(f.APIURL+"/docs#authenticate"))
	b.becomes("the operation is seen", `(({top}) => top >= 0 && top < innerHeight)(document.getElementById("authenticate").getBoundingClientRect())`)

	for _, width := range []int64{320, 375, 800, 1400} {
		b.resizes(width, 700)
		if wide := look[float64](b, `document.documentElement.scrollWidth`); wide > float64(width) {
			t.Errorf("on a screen of %d the page is %v wide", width, wide)
		}
	}
}
