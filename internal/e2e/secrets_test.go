package e2e_test

import (
	"crypto/rand"
	"encoding/base64"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// After a run that used every kind of secret none is found in files, logs, histories, metrics or answers that do not exist to
// show it.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	d := newDev(t, "--retry-schedule", "1h")
	d.env = append(d.env, "BUSBAR_LIVE_KEY=sk_live_"+rand.Text(), "BUSBAR_MASTER_KEY="+masterKey(t))
	d.start(t)
	header := "Bearer " + rand.Text()
	s, failing := newSink(t), newSink(t)
	failing.behave(status(500))
	both := d.subscribe(t, s, map[string]any{"headers": map[string]string{"authorization": header, "x-token": header}, "signing": "both"})
	ep := d.subscribe(t, failing, map[string]any{"headers": map[string]string{"authorization": header}})
	rotated := must[endpoint](t, d.api, http.MethodPost, "/v1/endpoints/"+both.ID+"/secret/rotate", map[string]any{}, http.StatusOK)
	made := must[struct {
		Key string `json:"key"`
	}](t, d.api, http.MethodPost, "/v1/api-keys", map[string]any{"name": "gateway", "scopes": []string{"events:write"}}, http.StatusCreated)
	unknown := "sk_test_" + rand.Text()
	if code, _ := get(t, &api{base: d.base, key: unknown, client: d.client}, "/v1/events"); code != http.StatusUnauthorized {
		t.Errorf("an unknown key is answered %d", code)
	}
	d.post(t, "evt_secret")
	if got := s.awaitCount(1)[0]; got.header.Get("authorization") != header || got.header.Get("x-token") != header {
		t.Errorf("the endpoint's own headers did not arrive: %v", got.header)
	}
	failing.awaitCount(1)
	var deliveries []delivery
	await(t, "both attempts to be on record", func() bool {
		deliveries = d.deliveriesOf(t, "evt_secret")
		return len(deliveries) == 2 && deliveries[0].AttemptCount == 1 && deliveries[1].AttemptCount == 1
	})
	secrets := map[string]string{
		"header": strings.TrimPrefix(header, "Bearer "), "new API key": made.Key, "unknown API key": unknown,
		"sandbox key": d.key, "live key": strings.TrimPrefix(d.env[2], "BUSBAR_LIVE_KEY="),
		"master key": strings.TrimPrefix(d.env[3], "BUSBAR_MASTER_KEY="),
	}
	for name, secret := range map[string]string{"secret": both.Secret, "rotated secret": rotated.Secret, "other secret": ep.Secret} {
		text := strings.TrimPrefix(secret, "whsec_")
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(raw) != 32 {
			t.Fatalf("%s is not base64 of 32 bytes: %v", name, err)
		}
		secrets[name], secrets[name+", decoded"] = text, string(raw)
	}
	absent := func(where, text string) {
		for name, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s: contains the %s", where, name)
			}
		}
	}
	for _, path := range []string{
		"/v1/endpoints", "/v1/endpoints/" + both.ID, "/v1/api-keys", "/v1/events", "/v1/events/evt_secret", "/v1/deliveries",
		"/v1/deliveries/" + deliveries[0].ID, "/v1/deliveries/" + deliveries[1].ID, "/v1/event-types", "/metrics", "/readyz", "/",
	} {
		code, text := get(t, d.api, path)
		if code != http.StatusOK {
			t.Errorf("GET %s: status %d", path, code)
		}
		absent("GET "+path, text)
	}
	// Once with the write-ahead logs of a running process, once after an orderly end.
	checkFiles(t, d.dir, absent)
	if code := d.stop(t); code != 0 {
		t.Errorf("exit code = %d", code)
	}
	checkFiles(t, d.dir, absent)
	absent("stdout", d.stdout.String())
	absent("stderr", d.stderr.String())
	if !strings.Contains(d.stderr.String(), deliveries[0].ID) {
		t.Error("the log does not even name the delivery: the check would find nothing")
	}
}

// checkFiles hands every file of a directory to check, and makes sure that it reads what it should.
func checkFiles(t *testing.T, dir string, check func(where, text string)) {
	t.Helper()
	var databases, temporals bool
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if strings.Contains(string(text), "evt_secret") {
			databases = databases || strings.HasPrefix(name, "busbar.db")
			temporals = temporals || !strings.HasPrefix(name, "busbar.db")
		}
		check(name, string(text))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !databases || !temporals {
		t.Errorf("event id found in the application's files: %v, in Temporal's: %v; the check would find nothing", databases, temporals)
	}
}
