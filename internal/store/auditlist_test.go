package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/store"
)

// audited keeps an entry a minute after the one before, and calls it by its number.
func audited(t *testing.T, s *opened, actor, action, target string, env busbar.Environment) {
	t.Helper()
	s.clock.advance(time.Minute)
	id, name, _ := strings.Cut(actor, " ")
	err := s.AddAudit(t.Context(), &busbar.AuditEntry{
		ID: busbar.NewAuditID(), At: s.clock.now(), ActorID: id, ActorName: name, Address: "127.0.0.1", Environment: env, Action: action, Target: target,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// auditPages reads all that a filter finds, so many at a time, as action and target.
func auditPages(t *testing.T, s *opened, f store.AuditFilter, limit int) []string {
	t.Helper()
	var got []string
	for req := (busbar.PageRequest{Limit: limit}); ; {
		page, err := s.Audit(t.Context(), f, req)
		if err != nil {
			t.Fatal(err)
		}
		for i := range page.Items {
			got = append(got, page.Items[i].Action+" "+page.Items[i].Target)
		}
		if req.Cursor = page.NextCursor; req.Cursor == "" {
			return got
		}
	}
}

func TestTheAuditLogIsNarrowedAndPaged(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		start := s.clock.now()
		audited(t, s, "user_1 Ada", "endpoint.create", "ep_1", busbar.Sandbox)
		audited(t, s, "key_1 gate sk_test_a…", "endpoint.update", "ep_1", busbar.Sandbox)
		audited(t, s, "user_2 Grace", "endpoint.update", "ep_2", busbar.Live)
		audited(t, s, "user_2 Grace", "endpoints.update", "ep_9", busbar.Live)
		audited(t, s, "user_2 Grace", "session.create", "ses_1", "")
		audited(t, s, "user_1 Ada L.", "rule.update", "rule_1", busbar.Sandbox)
		at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
		for name, tc := range map[string]struct {
			filter store.AuditFilter
			want   []string
		}{
			"everything":          {store.AuditFilter{}, []string{"rule.update rule_1", "session.create ses_1", "endpoints.update ep_9", "endpoint.update ep_2", "endpoint.update ep_1", "endpoint.create ep_1"}},
			"by a person":         {store.AuditFilter{ActorID: "user_1"}, []string{"rule.update rule_1", "endpoint.create ep_1"}},
			"by a key":            {store.AuditFilter{ActorID: "key_1"}, []string{"endpoint.update ep_1"}},
			"of a kind":           {store.AuditFilter{Action: "endpoint.update"}, []string{"endpoint.update ep_2", "endpoint.update ep_1"}},
			"of kinds":            {store.AuditFilter{Action: "endpoint.*"}, []string{"endpoint.update ep_2", "endpoint.update ep_1", "endpoint.create ep_1"}},
			"of no kind":          {store.AuditFilter{Action: "nothing.*"}, nil},
			"to a thing":          {store.AuditFilter{Target: "ep_1"}, []string{"endpoint.update ep_1", "endpoint.create ep_1"}},
			"in an environment":   {store.AuditFilter{Environment: busbar.Live}, []string{"endpoints.update ep_9", "endpoint.update ep_2"}},
			"in none":             {store.AuditFilter{Shared: true}, []string{"session.create ses_1"}},
			"at a time":           {store.AuditFilter{Since: at(2), Until: at(4)}, []string{"endpoint.update ep_2", "endpoint.update ep_1"}},
			"kinds, by somebody":  {store.AuditFilter{Action: "endpoint.*", ActorID: "user_2"}, []string{"endpoint.update ep_2"}},
			"kinds, at a time":    {store.AuditFilter{Action: "endpoint.*", Since: at(2)}, []string{"endpoint.update ep_2", "endpoint.update ep_1"}},
			"all of it, together": {store.AuditFilter{ActorID: "key_1", Action: "endpoint.*", Target: "ep_1", Environment: busbar.Sandbox, Since: at(1), Until: at(9)}, []string{"endpoint.update ep_1"}},
			"what never happened": {store.AuditFilter{ActorID: "key_1", Target: "ep_2"}, nil},
		} {
			for _, limit := range []int{1, 10} {
				if diff := cmp.Diff(tc.want, auditPages(t, s, tc.filter, limit)); diff != "" {
					t.Errorf("%s, %d at a time (-want +got):\n%s", name, limit, diff)
				}
			}
		}
		actors, err := s.AuditActors(t.Context())
		if diff := cmp.Diff([]store.Actor{{"user_1", "Ada L."}, {"key_1", "gate sk_test_a…"}, {"user_2", "Grace"}}, actors); diff != "" || err != nil {
			t.Errorf("actors, %v:\n%s", err, diff)
		}
		kinds, err := s.AuditActions(t.Context())
		if slices.Sort(kinds); !slices.Equal(kinds, []string{"endpoint.create", "endpoint.update", "endpoints.update", "rule.update", "session.create"}) || err != nil {
			t.Errorf("kinds %q, %v", kinds, err)
		}
	})
}

// What is frequent is looked for along a list rather than gathered and put in order.
func TestFrequentKindsOfTheAuditLogArePagedInOrder(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		const all = 2100
		var want []string
		for i := range all {
			audited(t, s, "user_1 Ada", fmt.Sprintf("endpoint.%d", i%3), fmt.Sprintf("ep_%d", i), busbar.Sandbox)
			want = append(want, fmt.Sprintf("endpoint.%d ep_%d", i%3, i))
		}
		audited(t, s, "user_1 Ada", "rule.update", "rule_1", busbar.Sandbox)
		slices.Reverse(want)
		for _, f := range []store.AuditFilter{{Action: "endpoint.*"}, {Action: "endpoint.*", ActorID: "user_1"}} {
			if diff := cmp.Diff(want, auditPages(t, s, f, 200)); diff != "" {
				t.Errorf("%+v (-want +got):\n%s", f, diff)
			}
		}
	})
}
