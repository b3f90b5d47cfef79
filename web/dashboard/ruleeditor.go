package dashboard

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"busbar"
	"busbar/rules"
	"busbar/web/api"
	"busbar/web/dashboard/ruleform"
	"busbar/web/dashboard/view"
)

// ruleEditorRoutes lie beside /rules, so that no rule can be called like one of them.
func ruleEditorRoutes() []Route {
	return []Route{
		get("/{env}/rule-library", busbar.RoleViewer, showRuleLibrary),
		get("/{env}/rule-new", busbar.RoleOperator, newRule),
		post("/{env}/rule-new", busbar.RoleOperator, changeRule),
		post("/{env}/rule-draft", busbar.RoleOperator, checkDraft),
		get("/{env}/rule-schema", busbar.RoleViewer, ruleSchema),
	}
}

// library is what there is to start from.
func (q *request) library() ([]view.LibraryCard, map[string]string, error) {
	list, err := ask[api.List[api.LibraryRule]](q, http.MethodGet, "/v1/rules/library", args{})
	if err != nil {
		return nil, nil, err
	}
	cards, texts := make([]view.LibraryCard, len(list.Items)), make(map[string]string, len(list.Items))
	for i, item := range list.Items {
		rule, err := rules.ParseYAML([]byte(item.YAML))
		if err != nil {
			return nil, nil, err
		}
		cards[i], texts[item.Slug] = view.LibraryCard{Slug: item.Slug, Rule: rule}, item.YAML
	}
	return cards, texts, nil
}

func showRuleLibrary(q *request) error {
	cards, _, err := q.library()
	if err != nil {
		return err
	}
	return q.render(http.StatusOK, view.RuleLibrary(q.frame("rules", "Library of rules"), cards))
}

func newRule(q *request) error {
	form := q.form()
	form.Values = ruleform.Blank()
	if slug := q.r.URL.Query().Get("from"); slug != "" {
		_, texts, err := q.library()
		if err != nil {
			return err
		}
		text, ok := texts[slug]
		if !ok {
			return busbar.Errorf(busbar.CodeNotFound, "the library has no such rule")
		}
		rule, err := rules.ParseYAML([]byte(text))
		if err != nil {
			return err
		}
		// The name of its file is no id that everybody's rule should have.
		rule.ID = ""
		if form.Values, err = ruleform.Values(rule); err != nil {
			return err
		}
	}
	return q.showEditor(http.StatusOK, &view.RuleEditor{As: view.AsForm, Form: form})
}

// draft is a rule as it was filled in.
type draft struct {
	rule *rules.Rule
	body json.RawMessage
	// source is the text that it was read from; empty when that was a form.
	source string
}

// readDraft reads the rule of a form that was sent. What is wrong with it is put into the panel, and the draft is nil then.
func (q *request) readDraft(e *view.RuleEditor) (*draft, error) {
	d := &draft{}
	var err error
	if e.As == view.AsYAML {
		d.source = strings.ReplaceAll(e.Form.Get("yaml"), "\r\n", "\n")
		if d.rule, err = rules.ParseYAML([]byte(d.source)); err == nil {
			d.body, err = json.Marshal(d.rule)
		}
	} else {
		d.rule, d.body, err = ruleform.Read(e.Form.Values)
	}
	if err == nil {
		return d, nil
	}
	var known *busbar.Error
	if !errors.As(err, &known) || known.Code == busbar.CodeInternal {
		return nil, err
	}
	for _, f := range known.Fields {
		found := view.Finding{Severity: string(rules.SeverityError), Message: f.Message}
		found.Field, found.Path = e.FieldOf(f.Path)
		e.Panel.Findings = append(e.Panel.Findings, found)
	}
	if len(known.Fields) == 0 {
		found := view.Finding{Severity: string(rules.SeverityError), Message: known.Message}
		found.Field, _ = e.FieldOf("")
		e.Panel.Findings = append(e.Panel.Findings, found)
	}
	return nil, nil
}

// examine says of a rule what is wrong with it and what it makes of an event. It gives nil when the rule cannot be read.
func (q *request) examine(e *view.RuleEditor) (*draft, error) {
	e.Panel.Now = q.now()
	d, err := q.readDraft(e)
	if err != nil {
		return nil, err
	}
	if d == nil {
		return nil, q.examineParts(e)
	}
	check, err := ask[api.RuleCheck](q, http.MethodPost, "/v1/rules/check", args{body: d.body})
	if err != nil {
		return nil, err
	}
	for i := range check.Diagnostics {
		e.AddDiagnostic(d.rule, &check.Diagnostics[i])
	}
	e.Panel.Complete = check.Valid
	if err := q.panelEvents(e, d.rule); err != nil {
		return nil, err
	}
	if !check.Valid {
		return d, nil
	}
	compiled, err := rules.Compile(d.rule)
	if err != nil {
		return nil, err
	}
	e.Panel.Tests = compiled.RunTests()
	return d, q.explain(e, d)
}

// examineParts checks the expressions of a form that lacks something, as if the rest were there.
func (q *request) examineParts(e *view.RuleEditor) error {
	if e.As == view.AsYAML {
		return nil
	}
	rule, body, err := ruleform.Read(ruleform.Complete(e.Form.Values))
	if err != nil {
		return nil //nolint:nilerr // there is more wrong than that something is missing, and that is said already
	}
	check, err := ask[api.RuleCheck](q, http.MethodPost, "/v1/rules/check", args{body: body})
	for i := range check.Diagnostics {
		if field, _ := e.FieldOf(check.Diagnostics[i].Field); e.Form.Get(field) != "" {
			e.AddDiagnostic(rule, &check.Diagnostics[i])
		}
	}
	return err
}

// explain shows what the rule makes of the event that was chosen, or of the newest.
func (q *request) explain(e *view.RuleEditor, d *draft) error {
	if len(e.Panel.Events) == 0 {
		return nil
	}
	chosen := e.Form.Get("event")
	if !slices.ContainsFunc(e.Panel.Events, func(p view.PanelEvent) bool { return string(p.ID) == chosen }) {
		chosen = string(e.Panel.Events[0].ID)
	}
	explained, err := ask[api.RuleExplanation](q, http.MethodPost, "/v1/rules/explain", args{body: map[string]any{"rule": d.body, "eventId": chosen}})
	if busbar.CodeOf(err) == busbar.CodeNotFound {
		return nil // it was purged a moment ago
	}
	e.Panel.Explained = &explained
	return err
}

// How many events a rule is tried on.
const (
	lookedAtEvents = 200
	offeredEvents  = 20
)

// panelEvents finds the newest events that a rule is asked at.
func (q *request) panelEvents(e *view.RuleEditor, rule *rules.Rule) error {
	query := url.Values{"limit": {strconv.Itoa(lookedAtEvents)}}
	if len(rule.On) == 1 && rule.On[0] != "*" {
		query.Set("type", rule.On[0])
	}
	list, err := ask[api.List[api.Event]](q, http.MethodGet, "/v1/events", args{query: query})
	if err != nil {
		return err
	}
	devices, err := q.devicesByID()
	if err != nil {
		return err
	}
	e.Panel.Devices = make(map[busbar.DeviceID]string, len(devices))
	for id, d := range devices {
		e.Panel.Devices[id] = d.Name
	}
	asked := *rule
	asked.Mode = rules.ModeActive // whatever it is to be, it can be tried
	for _, event := range list.Items {
		at := len(rule.SiteIDs) == 0 || slices.Contains(rule.SiteIDs, string(event.SiteID))
		if !at || !asked.Listens(event.Type, devices[event.DeviceID].DeviceType) {
			continue
		}
		e.Panel.Events = append(e.Panel.Events, view.PanelEvent{Event: event, Label: view.EventLabel(q.now(), &event, e.Panel.Devices)})
		if len(e.Panel.Events) == offeredEvents {
			break
		}
	}
	return nil
}

// devicesByID are the newest devices of the environment, as many as one page has.
func (q *request) devicesByID() (map[busbar.DeviceID]api.Device, error) {
	list, err := ask[api.List[api.Device]](q, http.MethodGet, "/v1/devices", args{query: url.Values{"limit": {"200"}}})
	if err != nil {
		return nil, err
	}
	byID := make(map[busbar.DeviceID]api.Device, len(list.Items))
	for i := range list.Items {
		byID[list.Items[i].ID] = list.Items[i]
	}
	return byID, nil
}

// showEditor shows the editor with what is known of the rule in it.
func (q *request) showEditor(status int, e *view.RuleEditor) error {
	if e.Panel.Now.IsZero() {
		if _, err := q.examine(e); err != nil {
			return err
		}
		if e.Rule == nil && status == http.StatusOK && len(q.posted) == 0 {
			// Nobody has filled anything in yet: nothing is wrong.
			e.Panel.Findings = slices.DeleteFunc(e.Panel.Findings, func(f view.Finding) bool { return f.Severity == string(rules.SeverityError) })
		}
	}
	types, err := ask[api.List[api.EventType]](q, http.MethodGet, "/v1/event-types", args{query: url.Values{"limit": {"200"}}})
	if err != nil {
		return err
	}
	sites, err := ask[api.List[api.Site]](q, http.MethodGet, "/v1/sites", args{query: url.Values{"limit": {"200"}}})
	if err != nil {
		return err
	}
	e.Types, e.Sites = types.Items, sites.Items
	title := "New rule"
	if e.Rule != nil {
		title = "Edit rule"
	}
	f := q.frame("rules", title)
	f.Script = "rules.js"
	return q.render(status, view.EditRule(f, e))
}

// checkDraft is asked by the script while somebody types.
func checkDraft(q *request) error {
	e := q.postedEditor()
	if _, err := q.examine(e); err != nil {
		return err
	}
	return q.render(http.StatusOK, view.RulePanelView(q.frame("rules", "Draft"), &e.Panel, e.Form.Get("event")))
}

// postedEditor is the editor as it was sent.
func (q *request) postedEditor() *view.RuleEditor {
	e := &view.RuleEditor{As: view.AsForm, Form: q.form()}
	if e.Form.Get("as") == view.AsYAML {
		e.As = view.AsYAML
	}
	return e
}

// changeRule does what a button of the editor says.
func changeRule(q *request) error { return q.changeRule(q.postedEditor()) }

func (q *request) changeRule(e *view.RuleEditor) error {
	verb, rest, _ := strings.Cut(q.posted.Get("do"), " ")
	switch verb {
	case "save":
		return q.saveRule(e)
	case "backtest":
		return q.backtestDraft(e)
	case view.AsForm, view.AsYAML:
		return q.convert(e, verb)
	case "add", "remove", "up":
		changeSteps(e.Form.Values, verb, rest)
	}
	return q.showEditor(http.StatusOK, e)
}

// changeSteps does what a button beside a step says.
func changeSteps(v url.Values, verb, rest string) {
	branch, what, _ := strings.Cut(rest, " ")
	if branch != ruleform.Then && branch != ruleform.ElseFailed {
		return
	}
	if verb == "add" {
		ruleform.Add(v, branch, what)
		return
	}
	i, err := strconv.Atoi(what)
	if err != nil {
		return
	}
	if verb == "up" {
		ruleform.Up(v, branch, i)
		return
	}
	ruleform.Remove(v, branch, i)
}

// convert writes the rule the other way. One that cannot be read stays as it is, and it says what is wrong.
func (q *request) convert(e *view.RuleEditor, as string) error {
	if e.As == as {
		return q.showEditor(http.StatusOK, e)
	}
	d, err := q.readDraft(e)
	if err != nil {
		return err
	}
	if d == nil {
		e.Form.Errors = map[string]string{"": "It cannot be shown the other way until this is put right."}
		e.Panel.Now = q.now()
		return q.showEditor(http.StatusUnprocessableEntity, e)
	}
	event := e.Form.Get("event")
	if as == view.AsYAML {
		text, err := d.rule.YAML()
		if err != nil {
			return err
		}
		e.Form.Values = url.Values{"yaml": {string(text)}}
	} else if e.Form.Values, err = ruleform.Values(d.rule); err != nil {
		return err
	}
	e.Form.Values.Set("event", event)
	e.As = as
	return q.showEditor(http.StatusOK, e)
}

// ruleSchema is what the script completes from.
func ruleSchema(q *request) error {
	query := url.Values{}
	if family := q.r.URL.Query().Get("deviceType"); family != "" {
		query.Set("deviceType", family)
	}
	schema, err := ask[api.RuleSchema](q, http.MethodGet, "/v1/rules/schema", args{query: query})
	if err != nil {
		return err
	}
	return q.json(schema)
}

// json answers a script of ours.
func (q *request) json(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	h := q.w.Header()
	h.Set("Content-Type", "application/json")
	// It changes with the program only, and the page asks for it again when that has.
	h.Set("Cache-Control", "private, max-age="+strconv.Itoa(int((10*time.Minute).Seconds())))
	if strings.Contains(q.r.Header.Get("Accept-Encoding"), "gzip") {
		text = zipped(text)
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Vary", "Accept-Encoding")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	_, err = q.w.Write(text)
	return err
}
