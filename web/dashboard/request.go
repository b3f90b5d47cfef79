package dashboard

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"busbar"
	"busbar/web/api"
	"busbar/web/dashboard/view"
)

// Call is what the server knows of a request before the dashboard does.
type Call struct {
	// ID is the request's own, `req_…`.
	ID string
	// Params are those of the path.
	Params map[string]string
}

// request is one request with its answer.
type request struct {
	*Dashboard
	call    Call
	w       http.ResponseWriter
	r       *http.Request
	session busbar.Session
	// user is nil when nobody is signed in.
	user *busbar.User
	env  busbar.Environment
	// posted is the form that was sent.
	posted url.Values
	// stops are the emergency stops in force, of the environment that the page is about or was last about.
	stops []api.AutomationStop
	// stopSites are the sites that they are about.
	stopSites []api.Site
	// seen is the environment's watermark of before the page was read.
	seen string
}

// policy lets a page load what it came with from here, and nothing else; scripts and styles in the page itself do not run.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Serve answers one request of a route.
func (d *Dashboard) Serve(w http.ResponseWriter, r *http.Request, route *Route, call Call) {
	w.Header().Set("Content-Security-Policy", policy)
	q := &request{Dashboard: d, call: call, w: w, r: r}
	if err := q.answer(route); err != nil {
		q.fail(err)
	}
}

// NotFound answers for a page that does not exist.
func (d *Dashboard) NotFound(w http.ResponseWriter, r *http.Request, call Call) {
	w.Header().Set("Content-Security-Policy", policy)
	q := &request{Dashboard: d, call: call, w: w, r: r}
	if err := q.authenticate(); err != nil {
		q.fail(err)
		return
	}
	if err := q.findStops(); err != nil {
		q.fail(err)
		return
	}
	q.fail(busbar.Errorf(busbar.CodeNotFound, "there is no page at this address"))
}

func (q *request) answer(route *Route) error {
	if err := q.origins.Check(q.r); err != nil {
		return busbar.Errorf(busbar.CodeInsufficientPermission, "this form was not sent from the dashboard's own pages")
	}
	if env, ok := q.call.Params["env"]; ok {
		var err error
		if q.env, err = busbar.ParseEnvironment(env); err != nil {
			return busbar.Errorf(busbar.CodeNotFound, "there is no page at this address")
		}
	}
	if err := q.authenticate(); err != nil {
		return err
	}
	if route.role != "" {
		if q.user == nil {
			return q.askToSignIn()
		}
		if !q.user.Role.Includes(route.role) {
			return busbar.Errorf(busbar.CodeInsufficientPermission, "this needs the role %s; yours is %s", route.role, q.user.Role)
		}
	}
	if err := q.findStops(); err != nil {
		return err
	}
	if route.Method == http.MethodPost {
		q.r.Body = http.MaxBytesReader(q.w, q.r.Body, busbar.MaxBodyBytes)
		if err := q.r.ParseForm(); err != nil {
			return busbar.Errorf(busbar.CodePayloadTooLarge, "the form could not be read, or is larger than 1 MiB")
		}
		q.posted = q.r.PostForm //nolint:forbidigo // the form of this request, not the client that the rule is about
	}
	if route.Method == http.MethodGet && q.env != "" {
		var err error
		if q.seen, err = q.hub.seen(q.ctx(), q.env); err != nil {
			return err
		}
	}
	return route.handle(q)
}

// askToSignIn leads to the login page, and back afterwards.
func (q *request) askToSignIn() error {
	if q.r.Method == http.MethodPost {
		return busbar.Errorf(busbar.CodeUnauthorized, "you are not signed in any more; sign in and send it again")
	}
	if q.r.Header.Get("HX-Request") != "" {
		return busbar.Errorf(busbar.CodeUnauthorized, "you are not signed in any more")
	}
	target := "/login"
	if path := q.r.URL.RequestURI(); path != "/" {
		target += "?" + url.Values{"next": {path}}.Encode()
	}
	q.redirect(target)
	return nil
}

// redirect sends the browser to a path of ours, with GET.
func (q *request) redirect(path string) {
	q.w.Header().Set("Location", path)
	q.w.WriteHeader(http.StatusSeeOther)
}

// done says what was done on the page that comes next.
func (q *request) done(path, format string, args ...any) error {
	q.setFlash(view.Flash{Tone: "good", Text: fmt.Sprintf(format, args...)})
	q.redirect(path)
	return nil
}

// at is a path within the environment of the request.
func (q *request) at(format string, args ...any) string {
	return "/" + string(q.env) + fmt.Sprintf(format, args...)
}

func (q *request) ctx() context.Context { return q.r.Context() }
func (q *request) now() time.Time       { return q.cfg.Now() }

// frame is what surrounds the page. It uses up the flash.
func (q *request) frame(section, title string) view.Frame {
	f := view.Frame{
		Title: title, Section: section, Env: q.env, Home: q.env, User: q.user, Theme: q.theme(), Here: q.r.URL.RequestURI(),
		Flash: q.takeFlash(), Version: q.cfg.Version, TemporalUI: q.cfg.TemporalUIURL, PublicURL: q.publicURL(), Gallery: q.cfg.Gallery,
	}
	f.Stops, f.StopSites, f.Now = q.stops, q.stopSites, q.now()
	if q.r.Method != http.MethodGet {
		f.Here = "/"
	}
	if f.Home == "" {
		f.Home = q.lastEnv()
	} else if q.lastEnv() != f.Home {
		q.setCookie(envCookie, string(f.Home), longCookie)
	}
	return f
}

// live makes a page ask for itself again when something has changed.
func (q *request) live(f view.Frame) view.Frame {
	f.Feed = q.at("/feed?seen=%s", feedID(q.seen))
	return f
}

// publicURL is where clients reach the API.
func (q *request) publicURL() string {
	if q.cfg.PublicURL != "" {
		return q.cfg.PublicURL
	}
	return "http://" + q.r.Host
}

// render sends a page.
func (q *request) render(status int, page templ.Component) error {
	var body bytes.Buffer
	if err := page.Render(q.ctx(), &body); err != nil {
		return fmt.Errorf("render page: %w", err)
	}
	h := q.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Vary", "Accept-Encoding")
	content := body.Bytes()
	if strings.Contains(q.r.Header.Get("Accept-Encoding"), "gzip") && h.Get(private) == "" {
		content = zipped(content)
		h.Set("Content-Encoding", "gzip")
	}
	h.Del(private)
	h.Set("Content-Length", strconv.Itoa(len(content)))
	q.w.WriteHeader(status)
	if _, err := q.w.Write(content); err != nil {
		q.cfg.Logger.DebugContext(q.ctx(), "write page", slog.Any("error", err)) // the browser is gone
	}
	return nil
}

// private marks an answer with a secret in it: its length must not tell anything about the secret, so it is not compressed.
const private = "X-Busbar-Private"

func (q *request) private() { q.w.Header().Set(private, "1") }

func zipped(plain []byte) []byte {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant that exists
	}
	// A buffer takes everything.
	_, _ = w.Write(plain) //nolint:errcheck // see above
	_ = w.Close()         //nolint:errcheck // see above
	return b.Bytes()
}

// fail answers with an error as a page.
func (q *request) fail(err error) {
	known := q.known(err)
	f := q.frame("", "Not possible")
	q.retryAfter(known)
	page := view.Problem(f, known)
	if q.user == nil {
		page = view.ProblemAlone(f, known)
	}
	if err := q.render(api.Status(known.Code), page); err != nil {
		q.cfg.Logger.ErrorContext(q.ctx(), "show error", slog.String("request_id", q.call.ID), slog.Any("error", err))
		q.w.WriteHeader(http.StatusInternalServerError)
	}
}

// retryAfter tells programs what the error tells people.
func (q *request) retryAfter(e *busbar.Error) {
	if e.RetryAfter > 0 {
		q.w.Header().Set("Retry-After", strconv.Itoa(int((e.RetryAfter+time.Second-1)/time.Second)))
	}
}

// known is what of an error a person may see; the rest is logged.
func (q *request) known(err error) *busbar.Error {
	var known *busbar.Error
	if errors.As(err, &known) && known.Code != busbar.CodeInternal {
		return known
	}
	if errors.Is(err, context.Canceled) && q.ctx().Err() != nil {
		return busbar.Unavailable(time.Second, err, "the request was given up")
	}
	q.cfg.Logger.ErrorContext(q.ctx(), "page failed", slog.String("request_id", q.call.ID), slog.Any("error", err))
	return busbar.Errorf(busbar.CodeInternal, "something went wrong on our side; the request id %s finds it in the log", q.call.ID)
}

// refused finds what is wrong with a form; ok is false when the error is about something else.
func (q *request) refused(err error, form *view.Form, fields ...string) bool {
	var known *busbar.Error
	if !errors.As(err, &known) {
		return false
	}
	if slices.Contains([]busbar.Code{busbar.CodeInternal, busbar.CodeUnavailable, busbar.CodeNotFound}, known.Code) {
		return false
	}
	view.Refuse(form, known, fields...)
	return true
}

// form is what was sent. once is made anew unless the form has one already.
func (q *request) form() view.Form {
	f := view.Form{Values: q.posted, Once: q.posted.Get("once")}
	if f.Values == nil {
		f.Values = url.Values{}
	}
	if len(f.Once) != onceLength {
		f.Once = strings.TrimPrefix(busbar.NewRequestID(), "req_")
	}
	return f
}

const onceLength = 32

// args are what an operation of the API is given.
type args struct {
	params map[string]string
	query  url.Values
	body   any
	// yaml is a rule file in the place of a body.
	yaml   []byte
	once   string
	extend func(time.Duration) error
}

// ask runs an operation of the API for the person, in the environment of the request. The API keeps in the audit log what
// it changes.
func ask[T any](q *request, method, path string, a args) (T, error) {
	var answer T
	data, err := q.cfg.API.Do(q.ctx(), api.Operation{
		Method: method, Path: path, Environment: q.env, Params: a.params, Query: a.query, Body: a.body, YAML: a.yaml,
		Once: a.once, Extend: a.extend,
		Actor: api.Actor{ID: string(q.user.ID), Name: q.user.Name, Address: q.address(), Person: true},
	})
	if err != nil {
		return answer, err //nolint:wrapcheck // its words are for the person
	}
	if v, ok := data.(T); ok {
		return v, nil
	}
	raw, ok := data.(json.RawMessage)
	if !ok {
		return answer, fmt.Errorf("read answer of %s %s: it is a %T", method, path, data)
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return answer, fmt.Errorf("read answer of %s %s: %w", method, path, err)
	}
	return answer, nil
}

// byID are the parameters of a path that ends with an id.
func byID(id string) map[string]string { return map[string]string{"id": id} }

// id is that of the path.
func (q *request) id() string { return q.call.Params["id"] }

// audit keeps that the person changed something that only the dashboard has. before and after must hold nothing secret; nil is nothing.
func (q *request) audit(action, target string, before, after any) error {
	e := busbar.AuditEntry{
		ID: busbar.NewAuditID(), At: q.now(), Address: q.address(), Environment: q.env, Action: action, Target: target,
	}
	if q.user != nil {
		e.ActorID, e.ActorName = string(q.user.ID), q.user.Name
	}
	var err error
	if e.Before, err = auditJSON(before); err != nil {
		return err
	}
	if e.After, err = auditJSON(after); err != nil {
		return err
	}
	// What was done is done, whether or not the browser waits for the answer.
	return q.cfg.Audit.AddAudit(context.WithoutCancel(q.ctx()), &e)
}

func auditJSON(v any) (json.RawMessage, error) {
	if v == nil {
		return nil, nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write audit entry: %w", err)
	}
	return b, nil
}
