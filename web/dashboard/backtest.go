package dashboard

import (
	"cmp"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"busbar"
	"busbar/web/api"
	"busbar/web/dashboard/view"
)

func backtestRoutes() []Route {
	return []Route{
		get("/{env}/rules/{id}/backtest", busbar.RoleOperator, backtestRule),
	}
}

// backtestTime is how long a page may take that tries a rule: it may have to wait for another, and then plays up to 50,000 events.
const backtestTime = 2 * time.Minute

// backtestRule tries a version of a rule on what has happened. It changes nothing, so that the page has an address that can be kept.
func backtestRule(q *request) error {
	rule, err := q.rule()
	if err != nil {
		return err
	}
	given := q.r.URL.Query()
	last := cmp.Or(given.Get("last"), view.BacktestLast)
	since, err := q.since(last)
	if err != nil {
		return err
	}
	tried, err := q.version(cmp.Or(given.Get("version"), strconv.Itoa(rule.Version)))
	if err != nil {
		return err
	}
	versions, err := q.versions()
	if err != nil {
		return err
	}
	if err := q.extend(backtestTime); err != nil {
		return err
	}
	body := map[string]any{"ruleId": rule.ID, "since": since}
	if tried.Number != rule.Version {
		body["rule"] = tried.Rule
	}
	result, err := ask[*api.Backtest](q, http.MethodPost, "/v1/rules/backtest", args{body: body})
	if err != nil {
		return err
	}
	p := view.BacktestPage{
		Now: q.now(), Rule: rule, Versions: versions, Tried: tried.Number, Result: result,
		Form: view.Form{Values: url.Values{"last": {last}, "version": {strconv.Itoa(tried.Number)}}},
	}
	if p.Names, err = q.runNames(); err != nil {
		return err
	}
	return q.render(http.StatusOK, view.Backtest(q.frame("rules", "Back-test"), p))
}

// backtestDraft tries what the editor holds, saved or not.
func (q *request) backtestDraft(e *view.RuleEditor) error {
	d, err := q.examine(e)
	if err != nil {
		return err
	}
	if d == nil || !e.Panel.Complete {
		e.Form.Errors = map[string]string{"": "It was not tried: something is not right yet. It says what beside the field."}
		return q.showEditor(http.StatusUnprocessableEntity, e)
	}
	since, err := q.since(view.BacktestLast)
	if err != nil {
		return err
	}
	if err := q.extend(backtestTime); err != nil {
		return err
	}
	body := map[string]any{"rule": d.body, "since": since}
	if e.Rule != nil {
		body["ruleId"] = e.Rule.ID
	}
	result, err := ask[*api.Backtest](q, http.MethodPost, "/v1/rules/backtest", args{body: body})
	if err != nil {
		return q.refuseRule(e, err)
	}
	e.Tried = &view.BacktestPage{Now: q.now(), Result: result, Names: view.Names{Devices: e.Panel.Devices}}
	return q.showEditor(http.StatusOK, e)
}
