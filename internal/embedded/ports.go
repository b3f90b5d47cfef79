//go:build !lean

package embedded

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Inner ports come from below the range that systems hand out themselves (from 32768 on Linux, from 49152 elsewhere), so
// that no outgoing connection takes one between the choice and the bind.
const (
	firstInnerPort = 20000
	lastInnerPort  = 32767
	portTries      = 200
)

const loopback = "127.0.0.1"

// freePorts finds n different ports that are free on host at this moment. Another process may still take one before it
// is bound: Start tries again then.
func freePorts(host string, n int) ([]int, error) {
	ports := make([]int, 0, n)
	taken := map[int]bool{}
	for range portTries {
		if len(ports) == n {
			return ports, nil
		}
		port := firstInnerPort + rand.IntN(lastInnerPort-firstInnerPort+1) //nolint:gosec // a port is no secret
		if taken[port] || probePort(host, port) != nil {
			continue
		}
		taken[port] = true
		ports = append(ports, port)
	}
	return nil, fmt.Errorf("find free ports on %s: none in %d tries", host, portTries)
}

func probePort(host string, port int) error {
	listener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return err
	}
	return listener.Close()
}

// address is a resolved host:port.
type address struct {
	ip   net.IP
	port int
}

// resolve turns host:port into an address; an empty host means all interfaces.
func resolve(addr string) (address, error) {
	tcp, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return address{}, fmt.Errorf("resolve %s: %w", addr, err)
	}
	ip := tcp.IP
	if ip == nil {
		ip = net.IPv4zero
	}
	return address{ip: ip, port: tcp.Port}, nil
}

// dial is where the process itself reaches the address.
func (a address) dial() string {
	ip := a.ip.String()
	if a.ip.IsUnspecified() {
		ip = loopback
	}
	return net.JoinHostPort(ip, strconv.Itoa(a.port))
}
