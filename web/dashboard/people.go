package dashboard

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"busbar"
	"busbar/internal/password"
	"busbar/web/dashboard/view"
)

func userRoutes() []Route {
	return []Route{
		get("/users", busbar.RoleAdmin, listUsers),
		post("/users", busbar.RoleAdmin, inviteUser),
		get("/users/{id}", busbar.RoleAdmin, showUser),
		post("/users/{id}/role", busbar.RoleAdmin, changeRole),
		post("/users/{id}/enable", busbar.RoleAdmin, enableUser),
		post("/users/{id}/disable", busbar.RoleAdmin, disableUser),
		post("/users/{id}/link", busbar.RoleAdmin, linkUser),
		post("/users/{id}/delete", busbar.RoleAdmin, deleteUser),
		post("/users/{id}/sessions/{session}/end", busbar.RoleAdmin, endUserSession),
	}
}

func accountRoutes() []Route {
	return []Route{
		get("/account", busbar.RoleViewer, showAccount),
		post("/account/password", busbar.RoleViewer, changePassword),
		post("/account/sessions/{session}/end", busbar.RoleViewer, endOwnSession),
	}
}

// pageOf is the page of a list of our own that the address asks for.
func (q *request) pageOf() busbar.PageRequest {
	return busbar.PageRequest{Limit: busbar.DefaultPageSize, Cursor: q.r.URL.Query().Get("cursor")}
}

func next(cursor string) *string {
	if cursor == "" {
		return nil
	}
	return &cursor
}

func listUsers(q *request) error {
	form := q.form()
	form.Values = url.Values{"role": {string(busbar.RoleViewer)}}
	return q.showUsers(http.StatusOK, form)
}

func (q *request) showUsers(status int, form view.Form) error {
	req := q.pageOf()
	page, err := q.cfg.Users.Users(q.ctx(), req)
	if err != nil {
		return err
	}
	return q.render(status, view.Users(q.frame("users", "Users"), view.UsersPage{
		Now: q.now(), Users: page.Items, Form: form, Pages: pages("/users", nil, req.Cursor, next(page.NextCursor)),
	}))
}

// auditUser is what of a user the audit log keeps.
type auditUser struct {
	Name     string      `json:"name"`
	Role     busbar.Role `json:"role"`
	Disabled bool        `json:"disabled"`
}

func auditOf(u busbar.User) auditUser { return auditUser{u.Name, u.Role, !u.Enabled()} }

func inviteUser(q *request) error {
	form := q.form()
	u := busbar.User{ID: busbar.NewUserID(), Name: strings.TrimSpace(form.Get("name")), CreatedAt: q.now()}
	err := busbar.CheckUserName(u.Name)
	if err == nil {
		if u.Role, err = busbar.ParseRole(form.Get("role")); err != nil {
			err = busbar.Invalid("role", "enum", "%s", err)
		}
	}
	if err == nil {
		err = q.cfg.Users.CreateUser(q.ctx(), &u)
	}
	if err != nil {
		if !q.refused(err, &form, "name", "role") {
			return err
		}
		return q.showUsers(http.StatusUnprocessableEntity, form)
	}
	if err := q.audit("user.create", string(u.ID), nil, auditOf(u)); err != nil {
		return err
	}
	return q.showLink(u)
}

// showLink makes a login link and shows it.
func (q *request) showLink(u busbar.User) error {
	token, err := busbar.NewToken()
	if err != nil {
		return err
	}
	err = q.cfg.Sessions.CreateLoginLink(q.ctx(), busbar.HashToken(token), u.ID, q.now().Add(busbar.LoginLinkTime))
	if err != nil {
		return err
	}
	if err := q.audit("user.link", string(u.ID), nil, nil); err != nil {
		return err
	}
	q.private()
	return q.showUser(http.StatusOK, u, q.publicURL()+"/welcome/"+token, nil)
}

func (q *request) target() (busbar.User, error) {
	return q.cfg.Users.User(q.ctx(), busbar.UserID(q.id()))
}

func showUser(q *request) error {
	u, err := q.target()
	if err != nil {
		return err
	}
	return q.showUser(http.StatusOK, u, "", nil)
}

func (q *request) showUser(status int, u busbar.User, link string, problem *busbar.Error) error {
	sessions, err := q.cfg.Sessions.SessionsOf(q.ctx(), u.ID)
	if err != nil {
		return err
	}
	form := view.Form{Values: url.Values{"role": {string(u.Role)}}}
	if problem != nil {
		view.Refuse(&form, problem)
	}
	return q.render(status, view.User(q.frame("users", u.Name), view.UserPage{
		Now: q.now(), User: u, Sessions: sessions, Form: form, Link: link, Mine: q.session.ID,
	}))
}

func changeRole(q *request) error {
	role, err := busbar.ParseRole(q.posted.Get("role"))
	if err != nil {
		return busbar.Errorf(busbar.CodeValidationFailed, "%s", err)
	}
	return q.changeUser("user.role", "The role was saved.", func(u *busbar.User) error {
		u.Role = role
		return nil
	})
}

func enableUser(q *request) error {
	return q.changeUser("user.enable", "The account is enabled.", func(u *busbar.User) error {
		u.DisabledAt = time.Time{}
		return nil
	})
}

func disableUser(q *request) error {
	return q.changeUser("user.disable", "The account is disabled, and signed out everywhere.", func(u *busbar.User) error {
		u.DisabledAt = q.now()
		return nil
	})
}

func (q *request) changeUser(action, said string, change func(*busbar.User) error) error {
	before, err := q.target()
	if err != nil {
		return err
	}
	path := "/users/" + q.id()
	after, err := q.cfg.Users.UpdateUser(q.ctx(), before.ID, change)
	if err := q.conflict(err, path); err != nil {
		return stop(err)
	}
	if err := q.audit(action, q.id(), auditOf(before), auditOf(after)); err != nil {
		return err
	}
	return q.done(path, "%s", said)
}

func linkUser(q *request) error {
	u, err := q.target()
	if err != nil {
		return err
	}
	return q.showLink(u)
}

func deleteUser(q *request) error {
	u, err := q.target()
	if err != nil {
		return err
	}
	path := "/users/" + q.id()
	if q.posted.Get("sure") != "yes" {
		q.setFlash(view.Flash{Tone: "info", Text: "Nothing was deleted: the box was not ticked."})
		q.redirect(path)
		return nil
	}
	if err := q.conflict(q.cfg.Users.DeleteUser(q.ctx(), u.ID), path); err != nil {
		return stop(err)
	}
	if err := q.audit("user.delete", q.id(), auditOf(u), nil); err != nil {
		return err
	}
	return q.done("/users", "%s was deleted.", u.Name)
}

func endUserSession(q *request) error {
	u, err := q.target()
	if err != nil {
		return err
	}
	return q.endSession(u.ID, "/users/"+q.id())
}

func endOwnSession(q *request) error { return q.endSession(q.user.ID, "/account") }

func (q *request) endSession(user busbar.UserID, path string) error {
	id := busbar.SessionID(q.call.Params["session"])
	if err := q.cfg.Sessions.EndSession(q.ctx(), user, id); err != nil {
		return err
	}
	if err := q.audit("session.end", string(id), nil, nil); err != nil {
		return err
	}
	return q.done(path, "The session was ended.")
}

func showAccount(q *request) error { return q.showAccount(http.StatusOK, view.Form{}) }

func (q *request) showAccount(status int, form view.Form) error {
	sessions, err := q.cfg.Sessions.SessionsOf(q.ctx(), q.user.ID)
	if err != nil {
		return err
	}
	return q.render(status, view.Account(q.frame("account", "Your account"), view.UserPage{
		Now: q.now(), User: *q.user, Sessions: sessions, Form: form, Mine: q.session.ID,
	}))
}

// changePassword ends every session but makes one anew for this browser.
func changePassword(q *request) error {
	form := q.form()
	if err := q.checkPasswordChange(form); err != nil {
		if !q.refused(err, &form, "current", "password") {
			return err
		}
		return q.showAccount(http.StatusUnprocessableEntity, form)
	}
	hash, err := password.Hash(form.Get("password"))
	if err != nil {
		return err
	}
	_, err = q.cfg.Users.UpdateUser(q.ctx(), q.user.ID, func(u *busbar.User) error {
		u.PasswordHash = hash
		return nil
	})
	if err != nil {
		return err
	}
	session, token, err := q.newSession()
	if err != nil {
		return err
	}
	session.UserID = q.user.ID
	if err := q.cfg.Sessions.CreateSession(q.ctx(), session); err != nil {
		return err
	}
	if err := q.audit("user.password", string(q.user.ID), nil, nil); err != nil {
		return err
	}
	q.setCookie(sessionCookie, token, longCookie)
	return q.done("/account", "The password was saved.")
}

func (q *request) checkPasswordChange(form view.Form) error {
	if q.user.PasswordHash != "" {
		key := "change " + string(q.user.ID)
		if err := q.throttle.take(key); err != nil {
			return err
		}
		fits, err := password.Check(q.user.PasswordHash, form.Get("current"))
		if err != nil {
			return err
		}
		if !fits {
			return busbar.Invalid("current", "wrong", "is not your password")
		}
		q.throttle.forget(key)
	}
	return busbar.CheckPassword(form.Get("password"))
}
