package dashboard

import (
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"time"

	"busbar"
	"busbar/web/dashboard/view"
)

const (
	sessionCookie = "busbar_session"
	flashCookie   = "busbar_flash"
	themeCookie   = "busbar_theme"
	envCookie     = "busbar_env"
	longCookie    = 365 * 24 * time.Hour
)

// setCookie sets a cookie that scripts cannot read and other sites cannot send. Lax lets a link from elsewhere, as from
// the Temporal UI, find the person signed in; what changes something is never a link.
func (q *request) setCookie(name, value string, life time.Duration) {
	c := &http.Cookie{ //nolint:gosec // Secure is set wherever people come by https; plain http on a loopback has none
		Name: q.cookieName(name), Value: value, Path: "/", HttpOnly: true, Secure: q.secure, SameSite: http.SameSiteLaxMode,
		MaxAge: int(life / time.Second),
	}
	if life <= 0 {
		c.MaxAge = -1
	}
	http.SetCookie(q.w, c)
}

// cookieName binds a cookie to this very host where the browser can see to it.
func (q *request) cookieName(name string) string {
	if q.secure {
		return "__Host-" + name
	}
	return name
}

func (q *request) cookie(name string) string {
	c, err := q.r.Cookie(q.cookieName(name))
	if err != nil {
		return ""
	}
	return c.Value
}

func (q *request) theme() string {
	switch t := q.cookie(themeCookie); t {
	case "light", "dark":
		return t
	default:
		return ""
	}
}

// lastEnv is the environment that was looked at last.
func (q *request) lastEnv() busbar.Environment {
	if env, err := busbar.ParseEnvironment(q.cookie(envCookie)); err == nil {
		return env
	}
	return busbar.Sandbox
}

// flashTime is how long a message waits for the page that shows it.
const flashTime = time.Minute

func (q *request) setFlash(f view.Flash) {
	b, err := json.Marshal(f)
	if err != nil {
		return // two texts always marshal
	}
	q.setCookie(flashCookie, base64.RawURLEncoding.EncodeToString(b), flashTime)
}

func (q *request) takeFlash() *view.Flash {
	text := q.cookie(flashCookie)
	if text == "" {
		return nil
	}
	q.setCookie(flashCookie, "", 0)
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	var f view.Flash
	if json.Unmarshal(b, &f) != nil || f.Text == "" {
		return nil
	}
	switch f.Tone {
	case "good", "bad", "info":
		return &f
	default:
		return nil
	}
}

// back is a path of ours that a form names, or another when it names none: never another site.
func back(path, otherwise string) string {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") {
		return otherwise
	}
	return path
}

// address is where the request came from. Behind a proxy it is the proxy's: headers that name another can be made up.
func (q *request) address() string {
	host, _, err := net.SplitHostPort(q.r.RemoteAddr)
	if err != nil {
		return q.r.RemoteAddr
	}
	return host
}
