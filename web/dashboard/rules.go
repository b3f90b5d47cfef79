package dashboard

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"busbar"
	"busbar/rules"
	"busbar/web/api"
	"busbar/web/dashboard/ruleform"
	"busbar/web/dashboard/view"
)

func ruleRoutes() []Route {
	return []Route{
		get("/{env}/rules", busbar.RoleViewer, listRules),
		get("/{env}/rules/{id}", busbar.RoleViewer, showRule),
		get("/{env}/rules/{id}/edit", busbar.RoleOperator, editRule),
		post("/{env}/rules/{id}/edit", busbar.RoleOperator, changeRuleOf),
		post("/{env}/rules/{id}/mode", busbar.RoleOperator, setRuleMode),
		get("/{env}/rules/{id}/versions/{n}", busbar.RoleViewer, showVersion),
		post("/{env}/rules/{id}/versions/{n}/restore", busbar.RoleOperator, restoreVersion),
		get("/{env}/rules/{id}/delete", busbar.RoleOperator, askToDeleteRule),
		post("/{env}/rules/{id}/delete", busbar.RoleOperator, deleteRule),
	}
}

// sparkTime is how far back the small charts of firings go.
const sparkTime = 24 * time.Hour

func listRules(q *request) error {
	shown, asked, err := q.filters("mode")
	if err != nil {
		return err
	}
	asked.Del("since")
	shown.Del("last")
	list, err := ask[api.List[api.Rule]](q, http.MethodGet, "/v1/rules", args{query: asked})
	if err != nil {
		return err
	}
	since := q.now().Truncate(time.Hour).Add(time.Hour - sparkTime)
	firings, err := q.cfg.Counter.CountFirings(q.ctx(), q.env, since, q.now().Add(time.Second), time.Hour)
	if err != nil {
		return err
	}
	p := view.RulesPage{
		Now: q.now(), Rules: list.Items, Filters: view.Form{Values: shown}, Firings: make(map[busbar.RuleID][]int),
		Pages: pages(q.at("/rules"), shown, asked.Get("cursor"), list.NextCursor),
	}
	for _, b := range firings {
		hours := p.Firings[b.RuleID]
		if hours == nil {
			hours = make([]int, int(sparkTime/time.Hour))
			p.Firings[b.RuleID] = hours
		}
		if i := int(b.At.Sub(since) / time.Hour); i >= 0 && i < len(hours) {
			hours[i] += b.Count
		}
	}
	f := q.frame("rules", "Rules")
	if asked.Get("cursor") == "" {
		f = q.live(f)
	}
	return q.render(http.StatusOK, view.Rules(f, p))
}

func (q *request) rule() (api.Rule, error) {
	return ask[api.Rule](q, http.MethodGet, "/v1/rules/{id}", args{params: byID(q.id())})
}

// version is a version of the rule that the path names.
func (q *request) version(n string) (api.RuleVersionDetail, error) {
	return ask[api.RuleVersionDetail](q, http.MethodGet, "/v1/rules/{id}/versions/{n}", args{params: map[string]string{"id": q.id(), "n": n}})
}

// versions are the newest of the rule that the path names.
func (q *request) versions() ([]api.RuleVersion, error) {
	list, err := ask[api.List[api.RuleVersion]](q, http.MethodGet, "/v1/rules/{id}/versions", args{
		params: byID(q.id()), query: url.Values{"limit": {"20"}},
	})
	return list.Items, err
}

func showRule(q *request) error {
	rule, err := q.rule()
	if err != nil {
		return err
	}
	now, err := q.version(strconv.Itoa(rule.Version))
	if err != nil {
		return err
	}
	p := view.RulePage{Now: q.now(), Rule: rule, YAML: now.YAML, Once: q.form().Once}
	if p.Text, err = rules.ParseJSON(now.Rule); err != nil {
		return err
	}
	if p.Versions, err = q.versions(); err != nil {
		return err
	}
	shown, asked, err := q.filters("decision")
	if err != nil {
		return err
	}
	asked.Set("limit", "10")
	runs, err := ask[api.List[api.Run]](q, http.MethodGet, "/v1/rules/{id}/runs", args{params: byID(q.id()), query: asked})
	if err != nil {
		return err
	}
	p.Runs, p.Filters = runs.Items, view.Form{Values: shown}
	if rule.Mode == rules.ModeShadow {
		if p.Shadows, err = q.shadows(rule.ID); err != nil {
			return err
		}
	}
	if p.Names, err = q.runNames(); err != nil {
		return err
	}
	return q.render(http.StatusOK, view.Rule(q.live(q.frame("rules", "Rule")), p))
}

// editor is the editor of the rule that the path names, with the rule as it is saved.
func (q *request) editor(as string) (*view.RuleEditor, error) {
	rule, err := q.rule()
	if err != nil {
		return nil, err
	}
	now, err := q.version(strconv.Itoa(rule.Version))
	if err != nil {
		return nil, err
	}
	e := &view.RuleEditor{Rule: &view.RuleRef{ID: string(rule.ID), Name: rule.Name, Version: rule.Version}, As: as, Form: q.form()}
	if as == view.AsYAML {
		e.Form.Values = url.Values{"yaml": {now.YAML}}
		return e, nil
	}
	text, err := rules.ParseJSON(now.Rule)
	if err != nil {
		return nil, err
	}
	text.Mode = rule.Mode
	e.Form.Values, err = ruleform.Values(text)
	return e, err
}

func editRule(q *request) error {
	as := view.AsForm
	if q.r.URL.Query().Get("as") == view.AsYAML {
		as = view.AsYAML
	}
	e, err := q.editor(as)
	if err != nil {
		return err
	}
	return q.showEditor(http.StatusOK, e)
}

func changeRuleOf(q *request) error {
	rule, err := q.rule()
	if err != nil {
		return err
	}
	e := q.postedEditor()
	e.Rule = &view.RuleRef{ID: string(rule.ID), Name: rule.Name, Version: rule.Version}
	return q.changeRule(e)
}

// saveRule saves what the editor holds. What does not compile, or does not do what its tests say, goes back to the editor.
func (q *request) saveRule(e *view.RuleEditor) error {
	d, err := q.examine(e)
	if err != nil {
		return err
	}
	if d == nil || !e.Panel.Complete {
		e.Form.Errors = map[string]string{"": "It was not saved: something is not right yet. It says what beside the field."}
		return q.showEditor(http.StatusUnprocessableEntity, e)
	}
	method, path, a := http.MethodPost, "/v1/rules", args{once: e.Form.Once, body: d.body}
	if d.source != "" {
		a.body, a.yaml = nil, []byte(d.source)
	}
	if e.Rule != nil {
		method, path, a.once, a.params = http.MethodPut, "/v1/rules/{id}", "", byID(e.Rule.ID)
	}
	saved, err := ask[api.SavedRule](q, method, path, a)
	if err != nil {
		return q.refuseRule(e, err)
	}
	if e.Rule == nil {
		return q.done(q.at("/rules/%s", url.PathEscape(string(saved.ID))), "The rule was created.")
	}
	return q.done(q.at("/rules/%s", url.PathEscape(string(saved.ID))), "Version %d was saved.", saved.Version)
}

// refuseRule shows the editor with what the API said.
func (q *request) refuseRule(e *view.RuleEditor, err error) error {
	known := q.known(err)
	if known.Code == busbar.CodeInternal || known.Code == busbar.CodeUnavailable || known.Code == busbar.CodeNotFound {
		return known
	}
	e.Form.Errors = map[string]string{"": view.Sentence(known.Message)}
	for _, f := range known.Fields {
		if f.Code == "test_failed" {
			// The panel shows which, and what happened.
			e.Form.Errors[""] = "It was not saved: a rule whose tests fail cannot be active. Mend the rule or the test, or save it in shadow."
			continue
		}
		found := view.Finding{Severity: string(rules.SeverityError), Message: f.Message}
		found.Field, found.Path = e.FieldOf(f.Path)
		e.Panel.Findings = append(e.Panel.Findings, found)
	}
	return q.showEditor(http.StatusUnprocessableEntity, e)
}

func setRuleMode(q *request) error {
	path := q.at("/rules/%s", url.PathEscape(q.id()))
	after, err := ask[api.Rule](q, http.MethodPost, "/v1/rules/{id}/mode", args{params: byID(q.id()), body: map[string]any{"mode": q.posted.Get("mode")}})
	if busbar.CodeOf(err) == busbar.CodeValidationFailed {
		err = busbar.Errorf(busbar.CodeConflict, "a rule whose tests fail cannot be active; edit it to see which")
	}
	if err := q.conflict(err, path); err != nil {
		return stop(err)
	}
	return q.done(path, "%s", view.ModeSentence(after.Mode))
}

func showVersion(q *request) error {
	rule, err := q.rule()
	if err != nil {
		return err
	}
	version, err := q.version(q.call.Params["n"])
	if err != nil {
		return err
	}
	p := view.VersionPage{Now: q.now(), Rule: rule, Version: version, Once: q.form().Once}
	if version.Number > 1 {
		before, err := q.version(strconv.Itoa(version.Number - 1))
		if err != nil {
			return err
		}
		p.Since, err = view.RuleDiff(before.Rule, version.Rule)
		if err != nil {
			return err
		}
	}
	if version.Number < rule.Version {
		newest, err := q.version(strconv.Itoa(rule.Version))
		if err != nil {
			return err
		}
		if p.Restore, err = view.RuleDiff(newest.Rule, version.Rule); err != nil {
			return err
		}
	}
	return q.render(http.StatusOK, view.Version(q.frame("rules", "Version of a rule"), p))
}

func restoreVersion(q *request) error {
	path := q.at("/rules/%s", url.PathEscape(q.id()))
	saved, err := ask[api.SavedRule](q, http.MethodPost, "/v1/rules/{id}/versions/{n}/restore", args{
		params: map[string]string{"id": q.id(), "n": q.call.Params["n"]}, once: q.form().Once,
	})
	if busbar.CodeOf(err) == busbar.CodeValidationFailed {
		err = busbar.Errorf(busbar.CodeConflict, "the tests of that version fail, so that it cannot be active; set the rule to shadow first")
	}
	if err := q.conflict(err, path); err != nil {
		return stop(err)
	}
	return q.done(path, "Version %d says what version %s did.", saved.Version, q.call.Params["n"])
}

func askToDeleteRule(q *request) error {
	rule, err := q.rule()
	if err != nil {
		return err
	}
	return q.render(http.StatusOK, view.DeleteRule(q.frame("rules", "Delete a rule"), rule))
}

func deleteRule(q *request) error {
	if q.posted.Get("sure") != "yes" {
		q.redirect(q.at("/rules/%s/delete", url.PathEscape(q.id())))
		return nil
	}
	if _, err := ask[api.Deleted](q, http.MethodDelete, "/v1/rules/{id}", args{params: byID(q.id())}); err != nil {
		return err
	}
	return q.done(q.at("/rules"), "The rule was deleted. What it decided is kept.")
}
