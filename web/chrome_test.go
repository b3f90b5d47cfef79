package web_test

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"busbar"
)

var pictures = flag.Bool("pictures", false, "write the README's pictures in docs/images anew")

// chrome is somebody with a real browser.
type chrome struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // it is the browser's tab, by which chromedp knows it
	url string
}

// pageTime is what one step may take on a busy machine.
const pageTime = 60 * time.Second

// newChrome starts Chromium with nothing in it. As root it has no sandbox of its own; it visits the test's server only.
func newChrome(t *testing.T, url string) *chrome {
	t.Helper()
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), //nolint:usetesting // ended by the cleanup below, in order
		chromedp.ExecPath(chromium(t)), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.WindowSize(1360, 900),
		chromedp.WSURLReadTimeout(pageTime),
		chromedp.Flag("headless", "new"), chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-quic", true),
		chromedp.Flag("no-first-run", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("force-color-profile", "srgb"),
	)
	ctx, closeTab := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		closeTab()
		cancel()
	})
	// The browser lives as long as the context that starts it, which must not be that of one step.
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return &chrome{t, ctx, url}
}

// chromium is the browser, as Debian and others call it.
func chromium(t *testing.T) string {
	t.Helper()
	for _, path := range []string{"/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	t.Fatal("Chromium is not installed; .ci/install-debian installs it")
	return ""
}

func (c *chrome) do(steps ...chromedp.Action[chromedp.Void]) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, pageTime)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		c.t.Fatalf("browser: %v\n%s", err, c.where())
	}
}

// where says what the browser shows, for messages.
func (c *chrome) where() string {
	ctx, cancel := context.WithTimeout(c.ctx, 5*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText.slice(0, 2000)`))
	if err != nil {
		return err.Error()
	}
	return text
}

func eval[T any](c *chrome, script string) T {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, pageTime)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		c.t.Fatalf("evaluate %.100s: %v\n%s", script, err, c.where())
	}
	return v
}

// until waits for something to be true of the page. What cannot be asked while one page gives way to the next is asked
// again.
func (c *chrome) until(what, script string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, pageTime)
	defer cancel()
	c.await(what, func() bool {
		yes, err := chromedp.Run(ctx, chromedp.Evaluate[bool](script))
		return err == nil && yes
	})
}

// await waits for something that a page is about.
func (c *chrome) await(what string, done func() bool) {
	c.t.Helper()
	limit := time.NewTimer(pageTime)
	defer limit.Stop()
	pause := time.NewTicker(50 * time.Millisecond)
	defer pause.Stop()
	for !done() {
		select {
		case <-pause.C:
		case <-limit.C:
			c.t.Fatalf("waited %s for %s\n%s", pageTime, what, c.where())
		}
	}
}

// open goes to a path and waits until all of the page is there.
func (c *chrome) open(path string) {
	c.t.Helper()
	c.do(chromedp.Navigate(c.url + path))
	eval[bool](c, `document.fonts.ready.then(() => true)`)
}

func (c *chrome) click(selector string) { c.t.Helper(); c.do(chromedp.Click(chromedp.CSS(selector))) }

func (c *chrome) fill(selector, text string) {
	c.t.Helper()
	c.do(chromedp.SetValue(chromedp.CSS(selector), text))
}

func (c *chrome) press(keys string) { c.t.Helper(); c.do(chromedp.KeyEvent(keys)) }

// dark says what the system prefers.
func (c *chrome) dark(on bool) {
	c.t.Helper()
	value := "light"
	if on {
		value = "dark"
	}
	_, err := chromedp.Call(c.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}, {Name: "prefers-reduced-motion", Value: "reduce"}},
	})
	must(c.t, err)
}

func (c *chrome) size(width, height int64) {
	c.t.Helper()
	c.do(chromedp.EmulateViewport(width, height))
}

func (c *chrome) withoutScript() {
	c.t.Helper()
	_, err := chromedp.Call(c.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	must(c.t, err)
}

// signInAs hands the browser a session.
func (c *chrome) signInAs(a *app, user busbar.User) {
	c.t.Helper()
	token, err := busbar.NewToken()
	must(c.t, err)
	now := a.now()
	must(c.t, a.store.CreateSession(c.t.Context(), &busbar.Session{
		ID: busbar.NewSessionID(), UserID: user.ID, Hash: busbar.HashToken(token), Address: "127.0.0.1", UserAgent: "Chromium",
		CreatedAt: now, LastSeenAt: now, ExpiresAt: now.Add(time.Hour),
	}))
	c.do(chromedp.Navigate("about:blank"))
	_, err = chromedp.Call(c.ctx, network.SetCookie, network.SetCookieParams{Name: "busbar_session", Value: token, URL: c.url, HTTPOnly: new(true)})
	must(c.t, err)
}

// picture keeps what the browser shows in test-output, for people to look at.
func (c *chrome) picture(name string, whole bool) {
	c.t.Helper()
	c.keep(filepath.Join("..", "test-output", "pages"), name, whole)
}

// keep writes a picture.
func (c *chrome) keep(dir, name string, whole bool) {
	c.t.Helper()
	must(c.t, os.MkdirAll(dir, 0o750))
	ctx, cancel := context.WithTimeout(c.ctx, pageTime)
	defer cancel()
	shot := chromedp.CaptureScreenshot()
	if whole {
		shot = chromedp.FullScreenshot(100)
	}
	png, err := chromedp.Run(ctx, shot)
	must(c.t, err)
	must(c.t, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644))
}

// violation is what axe-core finds wrong with a page.
type violation struct {
	ID    string   `json:"id"`
	Help  string   `json:"help"`
	Nodes []string `json:"nodes"`
}

// accessible fails the test when axe-core finds anything.
func (c *chrome) accessible(name string) {
	c.t.Helper()
	axe, err := os.ReadFile("testdata/axe.min.js")
	must(c.t, err)
	eval[bool](c, string(axe)+"; true")
	found := eval[[]violation](c, `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then(r =>
		r.violations.map(v => ({id: v.id, help: v.help, nodes: v.nodes.slice(0, 4).map(n => n.html.slice(0, 200) + " — " + n.failureSummary)})))`)
	for _, v := range found {
		c.t.Errorf("%s: %s: %s\n%q", name, v.ID, v.Help, v.Nodes)
	}
}

// calm fails the test when the page is wider than the window, or moved while it was made.
func (c *chrome) calm(name string) {
	c.t.Helper()
	if over := eval[int](c, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
		wide := eval[[]string](c, `[...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1).slice(0, 5).map(e => e.outerHTML.slice(0, 120))`)
		c.t.Errorf("%s is %d px wider than the window: %q", name, over, wide)
	}
	shifts := eval[struct {
		Sum   float64
		Moved []string
	}](c, `new Promise(done => {
		let sum = 0, moved = [];
		new PerformanceObserver(list => list.getEntries().forEach(e => {
			if (e.hadRecentInput) return;
			sum += e.value;
			e.sources.forEach(s => s.node && moved.push((s.node.outerHTML ?? s.node.textContent).slice(0, 120)));
		})).observe({type: "layout-shift", buffered: true});
		setTimeout(() => done({Sum: sum, Moved: moved.slice(0, 8)}), 50);
	})`)
	if shifts.Sum > 0.02 {
		c.t.Errorf("%s shifts by %.3f while it loads: %q", name, shifts.Sum, shifts.Moved)
	}
}

// texts are those of the elements that a selector finds.
func (c *chrome) texts(selector string) []string {
	c.t.Helper()
	quoted, err := json.Marshal(selector)
	must(c.t, err)
	list := eval[[]string](c, `[...document.querySelectorAll(`+string(quoted)+`)].map(e => e.innerText.trim())`)
	return slices.DeleteFunc(list, func(s string) bool { return s == "" })
}
