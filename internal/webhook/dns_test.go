package webhook_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer is a DNS server on the loopback that answers each question about a name with its next list of addresses,
// the last one for ever. A name it does not know does not exist.
type nameServer struct {
	mu      sync.Mutex
	answers map[string][][]netip.Addr
}

// resolverOf starts a name server; answers are lists of addresses separated by spaces.
func resolverOf(t *testing.T, answers map[string][]string) *net.Resolver {
	t.Helper()
	s := &nameServer{answers: map[string][][]netip.Addr{}}
	for name, rounds := range answers {
		for _, round := range rounds {
			var addrs []netip.Addr
			for text := range strings.FieldsSeq(round) {
				addrs = append(addrs, netip.MustParseAddr(text))
			}
			s.answers[name+"."] = append(s.answers[name+"."], addrs)
		}
	}
	var listen net.ListenConfig
	conn, err := listen.ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { s.serve(conn) })
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Errorf("close name server: %v", err)
		}
		serving.Wait()
	})
	address := conn.LocalAddr().String()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "udp", address)
	}}
}

func (s *nameServer) serve(conn net.PacketConn) {
	packet := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFrom(packet)
		if err != nil {
			return
		}
		var query dnsmessage.Message
		if err := query.Unpack(packet[:n]); err != nil || len(query.Questions) != 1 {
			continue
		}
		answer, err := s.answer(query).Pack()
		if err != nil {
			continue
		}
		if _, err := conn.WriteTo(answer, from); err != nil {
			return
		}
	}
}

func (s *nameServer) answer(query dnsmessage.Message) *dnsmessage.Message {
	question := query.Questions[0]
	message := &dnsmessage.Message{
		Header:    dnsmessage.Header{ID: query.ID, Response: true, RecursionAvailable: true, Authoritative: true},
		Questions: query.Questions,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := strings.ToLower(question.Name.String())
	rounds := s.answers[name]
	if len(rounds) == 0 {
		message.RCode = dnsmessage.RCodeNameError
		return message
	}
	header := dnsmessage.ResourceHeader{Name: question.Name, Type: question.Type, Class: question.Class}
	for _, addr := range rounds[0] {
		switch {
		case question.Type == dnsmessage.TypeA && addr.Is4():
			message.Answers = append(message.Answers,
				dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: addr.As4()}})
		case question.Type == dnsmessage.TypeAAAA && addr.Is6():
			message.Answers = append(message.Answers,
				dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: addr.As16()}})
		}
	}
	// A lookup asks for both types; the question about IPv4 ends the round.
	if question.Type == dnsmessage.TypeA && len(rounds) > 1 {
		s.answers[name] = rounds[1:]
	}
	return message
}
