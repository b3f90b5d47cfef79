package snippets_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/snippets/verify"
	"busbar/internal/webhook"
)

// message is a webhook as a receiver has it, and whether it is to be believed.
type message struct {
	Name    string            `json:"name"`
	Secret  string            `json:"secret"`
	Headers map[string]string `json:"headers"`
	Body    []byte            `json:"body"`
	Now     int64             `json:"now"`
	want    bool
}

// The example of the Standard Webhooks reference libraries.
const (
	knownSecret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	knownSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	knownTime      = 1614265330
)

func known(name string, want bool, change func(m *message)) message {
	m := message{
		Name: name, Secret: knownSecret, Body: []byte(`{"test": 2432232314}`), Now: knownTime, want: want,
		Headers: map[string]string{
			"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": strconv.Itoa(knownTime), "webhook-signature": knownSignature,
		},
	}
	change(&m)
	return m
}

// messages are what every snippet has to judge.
func messages(t *testing.T) []message {
	t.Helper()
	list := []message{
		known("as it is", true, func(*message) {}),
		known("300 s old", true, func(m *message) { m.Now += 300 }),
		known("300 s ahead", true, func(m *message) { m.Now -= 300 }),
		known("second of a list", true, func(m *message) {
			m.Headers["webhook-signature"] = "v1,AAAA9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= " + knownSignature
		}),
		known("beside ed25519", true, func(m *message) { m.Headers["webhook-signature"] = "v1a,AAAA " + knownSignature }),
		known("301 s old", false, func(m *message) { m.Now += 301 }),
		known("301 s ahead", false, func(m *message) { m.Now -= 301 }),
		known("other secret", false, func(m *message) { m.Secret = "whsec_AAAA9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }),
		known("other body", false, func(m *message) { m.Body = []byte(`{"test": 2432232315}`) }),
		known("other id", false, func(m *message) { m.Headers["webhook-id"] += "x" }),
		known("other time", false, func(m *message) { m.Headers["webhook-timestamp"] = strconv.Itoa(knownTime + 1) }),
		known("other version", false, func(m *message) {
			m.Headers["webhook-signature"] = strings.Replace(knownSignature, "v1,", "v1a,", 1)
		}),
		known("part of a signature", false, func(m *message) { m.Headers["webhook-signature"] = knownSignature[:20] }),
		known("no signature", false, func(m *message) { m.Headers["webhook-signature"] = "v1," }),
		known("nonsense for a signature", false, func(m *message) { m.Headers["webhook-signature"] = "v1" }),
		known("nonsense for a time", false, func(m *message) { m.Headers["webhook-timestamp"] = "soon" }),
	}
	return append(list, sent(t)...)
}

// sent is a webhook of Busbar's own, as its receiver got it, and the same changed on its way.
func sent(t *testing.T) []message {
	t.Helper()
	secret, err := webhook.GenerateHMAC()
	must(t, err)
	older, err := webhook.GenerateHMAC()
	must(t, err)
	var got message
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = message{Name: "sent by Busbar", Secret: secret, Headers: map[string]string{}, Now: time.Now().Unix(), want: true}
		for name := range r.Header {
			got.Headers[strings.ToLower(name)] = r.Header.Get(name)
		}
		var err error
		if got.Body, err = io.ReadAll(r.Body); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	guard, err := webhook.NewGuard(webhook.GuardConfig{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	must(t, err)
	client, err := webhook.NewClient(webhook.ClientConfig{Guard: guard, Version: "test"})
	must(t, err)
	defer client.Close()
	keys := make([]webhook.Key, 2)
	for i, text := range []string{older, secret} {
		keys[i], err = webhook.ParseKey(text)
		must(t, err)
	}
	result := client.Send(t.Context(), webhook.Request{
		URL: server.URL, MessageID: "evt_1", Keys: keys, Body: []byte(`{"eventId":"evt_1","data":{"name":"Wärmepumpe 🔋\u0000"}}`),
	})
	if !result.OK() {
		t.Fatalf("send: %s", result.Err)
	}
	changed := got
	changed.Name, changed.want, changed.Body = "changed on its way", false, append(bytes.Clone(got.Body), '\n')
	return []message{got, changed}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// check compares what a snippet believes.
func check(t *testing.T, list []message, believed map[string]bool) {
	t.Helper()
	want := make(map[string]bool, len(list))
	for _, m := range list {
		want[m.Name] = m.want
	}
	if diff := cmp.Diff(want, believed); diff != "" {
		t.Errorf("believed (-want +got):\n%s", diff)
	}
}

func TestGo(t *testing.T) {
	t.Parallel()
	list := messages(t)
	believed := map[string]bool{}
	for _, m := range list {
		header := http.Header{}
		for name, value := range m.Headers {
			header.Set(name, value)
		}
		believed[m.Name] = verify.Verify(m.Secret, header, m.Body, time.Unix(m.Now, 0)) == nil
	}
	check(t, list, believed)
	for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
		header := http.Header{"Webhook-Id": {"1"}, "Webhook-Timestamp": {"1"}, "Webhook-Signature": {"v1,"}}
		header.Del(name)
		if err := verify.Verify(knownSecret, header, nil, time.Now()); err == nil || !strings.Contains(err.Error(), "missing") {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

// run has a program of another language judge all messages at once.
func run(t *testing.T, program, extension, driver string) {
	t.Helper()
	list := messages(t)
	for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
		list = append(list, known("without "+name, false, func(m *message) { delete(m.Headers, name) }))
	}
	dir, err := filepath.Abs("verify")
	must(t, err)
	path := filepath.Join(t.TempDir(), "driver"+extension)
	must(t, os.WriteFile(path, []byte(strings.ReplaceAll(driver, "DIR", dir)), 0o600))
	in, err := json.Marshal(list)
	must(t, err)
	cmd := exec.CommandContext(t.Context(), program, path)
	cmd.Stdin = bytes.NewReader(in)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	out, err := cmd.Output()
	if err != nil {
		var stderr []byte
		if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // Output does not wrap it
			stderr = exit.Stderr
		}
		t.Fatalf("%s: %v (.ci/install-debian installs what the tests need)\n%s", program, err, stderr)
	}
	var believed map[string]bool
	must(t, json.Unmarshal(out, &believed))
	check(t, list, believed)
}

func TestNode(t *testing.T) {
	t.Parallel()
	run(t, "node", ".mjs", `
import { readFileSync } from "node:fs";
import { verify } from "DIR/verify.mjs";
const believed = {};
for (const m of JSON.parse(readFileSync(0, "utf8"))) {
  try {
    verify(m.secret, m.headers, Buffer.from(m.body, "base64"), m.now);
    believed[m.name] = true;
  } catch (e) {
    if (!/missing|too old|matches/.test(e.message)) throw e;
    believed[m.name] = false;
  }
}
console.log(JSON.stringify(believed));
`)
}

func TestPython(t *testing.T) {
	t.Parallel()
	run(t, "python3", ".py", `
import base64, json, sys
sys.path.insert(0, "DIR")
from verify import verify
believed = {}
for m in json.load(sys.stdin):
    try:
        verify(m["secret"], m["headers"], base64.b64decode(m["body"]), m["now"])
        believed[m["name"]] = True
    except ValueError as e:
        if not any(word in str(e) for word in ("missing", "too old", "matches")):
            raise
        believed[m["name"]] = False
print(json.dumps(believed))
`)
}

func TestShell(t *testing.T) {
	t.Parallel()
	list := messages(t)
	believed := map[string]bool{}
	for _, m := range list {
		cmd := exec.CommandContext(t.Context(), "bash", "verify/verify.sh",
			m.Headers["webhook-id"], m.Headers["webhook-timestamp"], m.Headers["webhook-signature"])
		cmd.Env = append(os.Environ(), "WEBHOOK_SECRET="+m.Secret, "NOW="+strconv.FormatInt(m.Now, 10))
		cmd.Stdin = bytes.NewReader(m.Body)
		out, err := cmd.CombinedOutput()
		believed[m.Name] = err == nil
		if says := string(out); err != nil && !strings.Contains(says, "too old") && !strings.Contains(says, "no signature matches") {
			t.Errorf("%s: %v: %s", m.Name, err, says)
		}
	}
	check(t, list, believed)
}

// What the shell signs and sends with curl is what Busbar's own verifier believes.
func TestShellSends(t *testing.T) {
	t.Parallel()
	verifier, err := webhook.ParseVerifier(knownSecret)
	must(t, err)
	const body = "{\"test\":\n\"é\"}\n"
	received := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, err := io.ReadAll(r.Body)
		if err == nil {
			err = webhook.Verify([]webhook.Verifier{verifier}, r.Header, got, time.Now())
		}
		if err != nil {
			t.Error(err)
			w.WriteHeader(http.StatusUnauthorized)
		}
		received <- string(got)
	}))
	defer server.Close()
	cmd := exec.CommandContext(t.Context(), "bash", "verify/sign.sh", server.URL)
	cmd.Env = append(os.Environ(), "WEBHOOK_SECRET="+knownSecret, "NO_PROXY=*")
	cmd.Stdin = strings.NewReader(body)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got := <-received; got != body {
		t.Errorf("body %q", got)
	}
}
