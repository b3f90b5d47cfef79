package webhook_test

import (
	"context"
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/idna"

	"busbar/internal/webhook"
)

func TestCheckURL(t *testing.T) {
	t.Parallel()
	resolver := resolverOf(t, map[string][]string{
		"public.test":          {"93.184.216.34 2606:4700::1"},
		"private.test":         {"10.1.2.3"},
		"half.test":            {"93.184.216.34 127.0.0.1"},
		"half6.test":           {"93.184.216.34 fd12::1"},
		"metadata.test":        {"169.254.169.254"},
		"allowed.test":         {"192.168.7.9"},
		"mixed.test":           {"192.168.7.9 93.184.216.34"},
		"xn--bcher-kva.test":   {"93.184.216.34"},
		"xn--bcher2-3ya.test":  {"10.1.2.3"},
		"nat64.test":           {"64:ff9b::10.0.0.1"},
		"2130706433.test":      {"93.184.216.34"},
		"trailing.public.test": {"93.184.216.34"},
	})
	guard := newGuard(t, webhook.GuardConfig{Allow: allow(t, "192.168.7.0/24"), Resolver: resolver})
	const (
		good = iota
		notURL
		forbidden
	)
	for rawURL, c := range map[string]struct{ live, sandbox int }{
		"https://public.test/hook?a=b":               {good, good},
		"HTTPS://PUBLIC.test:8443":                   {good, good},
		"https://trailing.public.test./":             {good, good},
		"https://bücher.test/":                       {good, good},
		"https://93.184.216.34/":                     {good, good},
		"https://[2606:4700::1]:443/":                {good, good},
		"https://not-yet.test/":                      {good, good},
		"https://allowed.test/":                      {good, good},
		"https://2130706433.test/":                   {good, good},
		"http://allowed.test/":                       {good, good},
		"http://192.168.7.1:8080/":                   {good, good},
		"http://public.test/":                        {forbidden, good},
		"http://93.184.216.34/":                      {forbidden, good},
		"http://mixed.test/":                         {forbidden, good},
		"http://not-yet.test/":                       {forbidden, good},
		"https://private.test/":                      {forbidden, forbidden},
		"http://private.test/":                       {forbidden, forbidden},
		"https://half.test/":                         {forbidden, forbidden},
		"https://half6.test/":                        {forbidden, forbidden},
		"https://metadata.test/":                     {forbidden, forbidden},
		"https://nat64.test/":                        {forbidden, forbidden},
		"https://bücher2.test/":                      {forbidden, forbidden},
		"https://127.0.0.1/":                         {forbidden, forbidden},
		"https://127.0.0.1:8443/":                    {forbidden, forbidden},
		"https://localhost/":                         {forbidden, forbidden},
		"https://[::1]/":                             {forbidden, forbidden},
		"https://[::ffff:127.0.0.1]/":                {forbidden, forbidden},
		"https://[::ffff:7f00:1]/":                   {forbidden, forbidden},
		"https://[fe80::1%25eth0]/":                  {forbidden, forbidden},
		"https://0/":                                 {forbidden, forbidden},
		"https://0.0.0.0/":                           {forbidden, forbidden},
		"https://2130706433/":                        {forbidden, forbidden},
		"https://0x7f000001/":                        {forbidden, forbidden},
		"https://0x7f.1/":                            {forbidden, forbidden},
		"https://0X7F.0X1/":                          {forbidden, forbidden},
		"https://0x/":                                {forbidden, forbidden},
		"https://127.1/":                             {forbidden, forbidden},
		"https://127.0.1/":                           {forbidden, forbidden},
		"https://0177.0.0.1/":                        {forbidden, forbidden},
		"https://127.0.0.1./":                        {forbidden, forbidden},
		"https://127.0.0.01/":                        {forbidden, forbidden},
		"https://１２７.０.０.１/":                         {forbidden, forbidden},
		"https://127。0。0。1/":                         {forbidden, forbidden},
		"https://①②⑦.⓪.⓪.①/":                         {forbidden, forbidden},
		"https://user:hunter2@public.test/":          {forbidden, forbidden},
		"https://user@public.test/":                  {forbidden, forbidden},
		"https://@public.test/":                      {forbidden, forbidden},
		"ftp://public.test/":                         {forbidden, forbidden},
		"file:///etc/passwd":                         {forbidden, forbidden},
		"gopher://public.test/":                      {forbidden, forbidden},
		"unix:///var/run/docker.sock":                {forbidden, forbidden},
		"":                                           {notURL, notURL},
		"hello":                                      {notURL, notURL},
		"public.test/hook":                           {notURL, notURL},
		"//public.test/hook":                         {notURL, notURL},
		"/hook":                                      {notURL, notURL},
		"https:":                                     {notURL, notURL},
		"https:public.test":                          {notURL, notURL},
		"https:///hook":                              {notURL, notURL},
		"https://:443/":                              {notURL, notURL},
		"https://public.test:0/":                     {notURL, notURL},
		"https://public.test:65536/":                 {notURL, notURL},
		"https://public.test:x/":                     {notURL, notURL},
		"https://[::1/":                              {notURL, notURL},
		"https://public.test/\x00":                   {notURL, notURL},
		"https://public .test/":                      {notURL, notURL},
		"https://%31%32%37.0.0.1/":                   {notURL, notURL},
		"https://public.test\r\nHost: other/":        {notURL, notURL},
		"localhost:8080/hook":                        {notURL, notURL},
		"javascript:alert(1)":                        {notURL, notURL},
		"https://" + strings.Repeat("a", 2048) + "/": {notURL, notURL},
	} {
		for mode, want := range []int{c.live, c.sandbox} {
			err := guard.CheckURL(t.Context(), rawURL, mode == 1)
			got := good
			switch {
			case errors.Is(err, webhook.ErrNotURL):
				got = notURL
			case isForbidden(err):
				got = forbidden
			case err != nil:
				got = -1
			}
			if got != want {
				t.Errorf("%q, http allowed %v: got %v, want outcome %d", rawURL, mode == 1, err, want)
			}
			if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "10.1.2.3")) {
				t.Errorf("%q: the error tells too much: %v", rawURL, err)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := guard.CheckURL(ctx, "https://public.test/", false); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: got %v, want context.Canceled", err)
	}
}

func FuzzCheckURL(f *testing.F) {
	for _, rawURL := range []string{
		"https://127.1/", "http://[::ffff:10.0.0.1]:80/", "https://①②⑦.⓪.⓪.①/", "https://a@b:99999", "file:///x", "https://0x7f.1",
	} {
		f.Add(rawURL)
	}
	guard := newGuard(f, webhook.GuardConfig{})
	// Canceled from the start: names are not looked up, what can be read from the text is still checked.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	f.Fuzz(func(t *testing.T, rawURL string) {
		err := guard.CheckURL(ctx, rawURL, true)
		if err != nil && !errors.Is(err, webhook.ErrNotURL) && !isForbidden(err) && !errors.Is(err, context.Canceled) {
			t.Errorf("%q: an error of no known kind: %v", rawURL, err)
		}
		if err != nil {
			return
		}
		target, err := url.Parse(rawURL)
		if err != nil {
			t.Fatalf("%q is permitted and no URL: %v", rawURL, err)
		}
		host, err := idna.Lookup.ToASCII(target.Hostname())
		if strings.Contains(target.Host, "[") {
			host, err = target.Hostname(), nil
		}
		if err != nil {
			t.Fatalf("%q is permitted and its host is no name: %v", rawURL, err)
		}
		if addr, err := netip.ParseAddr(host); err != nil || guard.CheckAddr(addr) != nil {
			t.Errorf("%q: permitted without a lookup", rawURL)
		}
	})
}
