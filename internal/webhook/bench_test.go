package webhook_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"

	"busbar/internal/webhook"
)

// BenchmarkSend is the floor under a delivery: one signed POST of 1 KiB, receiver in the same process.
func BenchmarkSend(b *testing.B) {
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			b.Error(err)
		}
		w.WriteHeader(http.StatusNoContent)
	})}
	var listen net.ListenConfig
	listener, err := listen.Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	b.Cleanup(func() {
		if err := server.Close(); err != nil {
			b.Error(err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			b.Error(err)
		}
	})
	client := newClient(b, webhook.ClientConfig{})
	r := request(b, "http://"+listener.Addr().String()+"/hook")
	r.Body = bytes.Repeat([]byte("x"), 1024)
	b.ReportAllocs()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if result := client.Send(b.Context(), r); !result.OK() {
				b.Error(result.Err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sends/s")
}

func BenchmarkSign(b *testing.B) {
	r := request(b, "")
	body := bytes.Repeat([]byte("x"), 1024)
	now := newClock().now()
	b.ReportAllocs()
	for b.Loop() {
		r.Keys[0].Sign("evt_1", now, body)
	}
}
