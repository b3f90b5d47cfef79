package dashboard

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"busbar"
	"busbar/rules"
	"busbar/web/api"
	"busbar/web/dashboard/view"
)

const (
	// shownShadows is how many firings of a rule in shadow are compared with what was done.
	shownShadows = 8
	// shadowTime is how far apart what would have been sent and what was sent may lie to be compared.
	shadowTime = 15 * time.Minute
	// shadowActions is how many commands of a device are looked through for that.
	shadowActions = 100
)

// shadows are what a rule in shadow would have sent lately, each beside what its device was really told around that time.
func (q *request) shadows(rule busbar.RuleID) ([]view.Shadow, error) {
	runs, err := ask[api.List[api.Run]](q, http.MethodGet, "/v1/rules/{id}/runs", args{params: byID(string(rule)), query: url.Values{
		"decision": {string(rules.DecisionShadowed)}, "limit": {strconv.Itoa(shownShadows)},
	}})
	if err != nil {
		return nil, err
	}
	told := make(map[busbar.DeviceID][]api.Action)
	var list []view.Shadow
	for i := range runs.Items {
		run := &runs.Items[i]
		if run.Plan == nil {
			continue
		}
		for j := range run.Plan.Commands {
			c := &run.Plan.Commands[j]
			actions, known := told[c.DeviceID]
			if !known {
				page, err := ask[api.List[api.Action]](q, http.MethodGet, "/v1/actions", args{query: url.Values{
					"deviceId": {string(c.DeviceID)}, "limit": {strconv.Itoa(shadowActions)},
				}})
				if err != nil {
					return nil, err
				}
				actions = page.Items
				told[c.DeviceID] = actions
			}
			list = append(list, view.Shadow{Run: run, Command: c, Instead: nearest(actions, time.Time(run.DecidedAt))})
			if len(list) == shownShadows {
				return list, nil
			}
		}
	}
	return list, nil
}

// nearest is the command that was asked for closest to a time; nil when none was near it.
func nearest(actions []api.Action, at time.Time) *api.Action {
	var best *api.Action
	least := shadowTime
	for i := range actions {
		if d := time.Time(actions[i].CreatedAt).Sub(at).Abs(); d <= least {
			best, least = &actions[i], d
		}
	}
	return best
}
