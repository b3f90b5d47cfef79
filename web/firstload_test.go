package web_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"

	"busbar"
)

// mostFirstLoad is what the overview may cost somebody who comes for the first time, in bytes on the wire.
const mostFirstLoad = 150 << 10

func TestTheFirstLoadIsSmall(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	cookie := a.session(t, a.addUser("Ada", busbar.RoleAdmin))
	fetch := func(path string) (wire int, body string) {
		t.Helper()
		for _, encoding := range []string{"gzip", ""} {
			r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
			r.AddCookie(cookie)
			if encoding != "" {
				r.Header.Set("Accept-Encoding", encoding)
			}
			w := httptest.NewRecorder()
			a.handler.ServeHTTP(w, r)
			if w.Code != http.StatusOK {
				t.Fatalf("%s: %d", path, w.Code)
			}
			if encoding != "" {
				wire = w.Body.Len()
			} else {
				body = w.Body.String()
			}
		}
		return wire, body
	}
	total, page := fetch("/sandbox")
	seen := map[string]bool{}
	for _, match := range regexp.MustCompile(`(?:src|href)="(/assets/[^"]+)"`).FindAllStringSubmatch(page, -1) {
		if path := match[1]; !seen[path] {
			seen[path] = true
			wire, _ := fetch(path)
			total += wire
		}
	}
	if len(seen) < 5 {
		t.Fatalf("the page has only %d assets: %v", len(seen), seen)
	}
	t.Logf("the first load is %d bytes with %d assets", total, len(seen))
	if total > mostFirstLoad {
		t.Errorf("the first load is %d bytes, more than %d", total, mostFirstLoad)
	}
}
