package intake_test

import (
	"encoding/json"
	"strings"
	"testing"

	"busbar"
	"busbar/internal/intake"
	"busbar/internal/store"
)

// An endpoint gets what its filter is true of, and what its filter cannot judge.
func TestAFilterDecidesWhatAnEndpointGets(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		full := endpoint(t, s, "data.state.level >= 99")
		all := endpoint(t, s, "")
		p := start(t, s, newCluster(), nil)
		defer p.close()
		for _, tc := range []struct {
			data   string
			wanted bool
			err    string
		}{
			{`{"state":{"level":99}}`, true, ""},
			{`{"state":{"level":98.9}}`, false, ""},
			{`{"state":{}}`, false, ""},
			{`{"state":{"level":"full"}}`, true, "level"},
		} {
			out := accept(t, p, nil, intake.Candidate{Event: busbar.Event{Type: "custom.note", Data: json.RawMessage(tc.data)}})
			sent, err := s.DeliveriesOfEvent(t.Context(), busbar.Sandbox, out[0].EventID)
			must(t, err)
			got := map[busbar.EndpointID]busbar.Delivery{}
			for _, d := range sent {
				got[d.EndpointID] = d
			}
			d, wanted := got[full]
			if wanted != tc.wanted || (d.FilterError != "") != (tc.err != "") || !strings.Contains(d.FilterError, tc.err) {
				t.Errorf("%s: sent %t with error %q, want %t and %q", tc.data, wanted, d.FilterError, tc.wanted, tc.err)
			}
			if d, ok := got[all]; !ok || d.FilterError != "" {
				t.Errorf("%s: the endpoint without a filter got %+v", tc.data, d)
			}
		}
	})
}

func endpoint(t *testing.T, s *store.Store, filter string) busbar.EndpointID {
	t.Helper()
	e := busbar.Endpoint{
		ID: busbar.NewEndpointID(), Environment: busbar.Sandbox, URL: "https://example.com/hook", PayloadFormat: busbar.Enveloped,
		MaxInFlight: busbar.DefaultMaxInFlight, Signing: busbar.SigningHMAC, Enabled: true, Filter: filter,
	}
	_, err := s.Once(t.Context(), nil, func(tx *store.Tx) (store.Answer, error) {
		return store.Answer{}, tx.CreateEndpoint(&e, nil)
	})
	must(t, err)
	return e.ID
}
