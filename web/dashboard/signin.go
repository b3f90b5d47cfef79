package dashboard

import (
	"errors"
	"log/slog"
	"net/http"
	"unicode/utf8"

	"busbar"
	"busbar/internal/password"
	"busbar/web/assets"
	"busbar/web/dashboard/view"
)

func signInRoutes() []Route {
	return []Route{
		get("/", "", showRoot),
		get(assets.Prefix+"{name}", "", serveAsset),
		get("/login", "", showLogin),
		post("/login", "", signIn),
		get("/welcome/{token}", "", showWelcome),
		post("/welcome/{token}", "", useLink),
		post("/logout", busbar.RoleViewer, signOut),
		post("/theme", "", chooseTheme),
	}
}

// authenticate finds out who is signed in. Nobody is no error.
func (q *request) authenticate() error {
	token := q.cookie(sessionCookie)
	if token == "" {
		return nil
	}
	session, user, err := q.cfg.Sessions.SessionByHash(q.ctx(), busbar.HashToken(token))
	if busbar.CodeOf(err) == busbar.CodeUnauthorized {
		return nil
	}
	if err != nil {
		return err
	}
	q.session, q.user = session, &user
	if err := q.cfg.Sessions.TouchSession(q.ctx(), &session); err != nil {
		// When a session was last used is not worth failing a page for.
		q.cfg.Logger.WarnContext(q.ctx(), "touch session", slog.String("session_id", string(session.ID)), slog.Any("error", err))
	}
	return nil
}

// showRoot leads to the overview, by way of the login page when nobody is signed in.
func showRoot(q *request) error {
	if q.user == nil {
		return q.askToSignIn()
	}
	q.redirect("/" + string(q.lastEnv()))
	return nil
}

func serveAsset(q *request) error {
	found, err := assets.Serve(q.w, q.r)
	if err != nil {
		q.cfg.Logger.DebugContext(q.ctx(), "write asset", slog.Any("error", err)) // the browser is gone
	}
	if !found {
		return busbar.Errorf(busbar.CodeNotFound, "there is no file at this address")
	}
	return nil
}

func showLogin(q *request) error {
	if q.user != nil {
		q.redirect(back(q.r.URL.Query().Get("next"), "/"))
		return nil
	}
	form := view.Form{Values: map[string][]string{"next": {q.r.URL.Query().Get("next")}}}
	return q.render(http.StatusOK, view.Login(q.frame("", "Sign in"), form))
}

func signIn(q *request) error {
	form := q.form()
	name, given := form.Get("name"), form.Get("password")
	refuse := func(err error) error {
		var known *busbar.Error
		if !errors.As(err, &known) {
			return err
		}
		view.Refuse(&form, known)
		status := http.StatusUnprocessableEntity
		if known.Code == busbar.CodeRateLimitExceeded {
			status = http.StatusTooManyRequests
		}
		q.retryAfter(known)
		return q.render(status, view.Login(q.frame("", "Sign in"), form))
	}
	if name == "" || given == "" || utf8.RuneCountInString(name) > busbar.MaxUserNameRunes || len(given) > busbar.MaxPasswordBytes {
		return refuse(errWrong())
	}
	guesses := []string{"name " + name, "address " + q.address()}
	if err := q.throttle.take(guesses...); err != nil {
		return refuse(err)
	}
	user, err := q.cfg.Users.UserByName(q.ctx(), name)
	if err != nil && busbar.CodeOf(err) != busbar.CodeNotFound {
		return err
	}
	// Of a name that does not exist, too, so that how long it takes tells nothing.
	fits, err := password.Check(user.PasswordHash, given)
	if err != nil {
		return err
	}
	if !fits || !user.Enabled() {
		q.cfg.Logger.WarnContext(q.ctx(), "login refused", slog.String("address", q.address()))
		return refuse(errWrong())
	}
	q.throttle.forget(guesses...)
	session, token, err := q.newSession()
	if err != nil {
		return err
	}
	session.UserID = user.ID
	if err := q.cfg.Sessions.CreateSession(q.ctx(), session); err != nil {
		return err
	}
	q.user = &user
	return q.enter(token, "session.create", string(session.ID), back(form.Get("next"), "/"))
}

// errWrong says the same of a name that does not exist and of a password that does not fit.
func errWrong() error {
	return busbar.Errorf(busbar.CodeUnauthorized, "this name and password do not fit together")
}

// maxAgent bounds what is kept of a browser's name for itself.
const maxAgent = 200

// newSession is a session for the browser of the request, with the token that its cookie carries.
func (q *request) newSession() (*busbar.Session, string, error) {
	token, err := busbar.NewToken()
	if err != nil {
		return nil, "", err
	}
	now := q.now()
	return &busbar.Session{
		ID: busbar.NewSessionID(), Hash: busbar.HashToken(token), Address: q.address(),
		UserAgent: view.Short(view.Plain(q.r.UserAgent()), maxAgent), CreatedAt: now, LastSeenAt: now, ExpiresAt: now.Add(busbar.SessionTime),
	}, token, nil
}

// enter hands out the cookie of a session that was made.
func (q *request) enter(token, action, target, next string) error {
	if err := q.audit(action, target, nil, nil); err != nil {
		return err
	}
	q.setCookie(sessionCookie, token, longCookie)
	q.redirect(next)
	return nil
}

// showWelcome does not use the link up: mail programs and chats open links, too.
func showWelcome(q *request) error {
	user, err := q.cfg.Sessions.LoginLinkUser(q.ctx(), busbar.HashToken(q.call.Params["token"]))
	if err != nil {
		return err
	}
	return q.render(http.StatusOK, view.Welcome(q.frame("", "Welcome"), q.form(), user))
}

func useLink(q *request) error {
	hash := busbar.HashToken(q.call.Params["token"])
	user, err := q.cfg.Sessions.LoginLinkUser(q.ctx(), hash)
	if err != nil {
		return err
	}
	form := q.form()
	passwordHash := ""
	if given := form.Get("password"); given != "" {
		if err := busbar.CheckPassword(given); err != nil {
			if !q.refused(err, &form, "password") {
				return err
			}
			return q.render(http.StatusUnprocessableEntity, view.Welcome(q.frame("", "Welcome"), form, user))
		}
		if passwordHash, err = password.Hash(given); err != nil {
			return err
		}
	}
	session, token, err := q.newSession()
	if err != nil {
		return err
	}
	if user, err = q.cfg.Sessions.UseLoginLink(q.ctx(), hash, session, passwordHash); err != nil {
		return err
	}
	q.user = &user
	return q.enter(token, "session.create_by_link", string(session.ID), "/")
}

func signOut(q *request) error {
	if err := q.cfg.Sessions.EndSession(q.ctx(), q.user.ID, q.session.ID); err != nil {
		return err
	}
	q.setCookie(sessionCookie, "", 0)
	q.redirect("/login")
	return nil
}

func chooseTheme(q *request) error {
	theme := q.posted.Get("theme")
	switch theme {
	case "light", "dark":
		q.setCookie(themeCookie, theme, longCookie)
	default:
		q.setCookie(themeCookie, "", 0)
	}
	q.redirect(back(q.posted.Get("back"), "/"))
	return nil
}
