package webhook_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/webhook"
)

func TestCheckHeaders(t *testing.T) {
	t.Parallel()
	many := http.Header{}
	for n := range 33 {
		many["X-"+strconv.Itoa(n)] = []string{"v"}
	}
	for name, header := range map[string]http.Header{
		"host": {"host": {"x"}}, "type": {"content-type": {"x"}}, "length": {"Content-Length": {"1"}},
		"agent": {"User-Agent": {"x"}}, "ours": {"webhook-x": {"x"}}, "svix": {"SVIX-ID": {"x"}}, "busbar": {"busbar-x": {"x"}},
		"hop": {"transfer-encoding": {"x"}}, "proxy": {"Proxy-Authorization": {"x"}}, "upgrade": {"upgrade": {"h2c"}},
		"space": {"a b": {"x"}}, "empty": {"": {"x"}}, "break": {"a": {"x\ny"}}, "nul": {"a": {"\x00"}},
		"long": {"a": {strings.Repeat("secret", 1000)}}, "twice": {"a-b": {"1"}, "A-B": {"2"}}, "many": many,
	} {
		err := webhook.CheckHeaders(header)
		if err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error repeats the value", name)
		}
	}
	good := http.Header{"Authorization": {"Bearer x"}, "x-a": {"", "ü"}, "Idempotency-Key": {"1"}}
	if err := webhook.CheckHeaders(good); err != nil {
		t.Errorf("good headers: %v", err)
	}
	want := http.Header{"Authorization": {webhook.Masked}, "X-A": {webhook.Masked, webhook.Masked}, "Idempotency-Key": {webhook.Masked}}
	if diff := cmp.Diff(want, webhook.MaskHeaders(good)); diff != "" {
		t.Errorf("masked (-want +got):\n%s", diff)
	}
}
