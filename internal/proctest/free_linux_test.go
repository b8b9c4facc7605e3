package proctest

import (
	"net"
	"strconv"
	"testing"
)

// TestFreeOfOthers asks for an address where another process was given the next, on which nobody listens yet.
func TestFreeOfOthers(t *testing.T) {
	_, text, _ := net.SplitHostPort(Free(t))
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	next := lowestPort + (port+1-lowestPort)%ports
	_ = reserve(next) // if that fails, another process has it indeed
	if address := Free(t); address == net.JoinHostPort("127.0.0.1", strconv.Itoa(next)) {
		t.Errorf("Free = %s, which is another's; want one that nobody has", address)
	}
}
