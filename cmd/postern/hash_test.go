package main_test

import (
	"regexp"
	"strings"
	"testing"
)

// TestCalibrate asks for a recommendation, which is what 'postern check' takes; it takes nothing that a start would not.
func TestCalibrate(t *testing.T) {
	out, err := postern(t, "hash", "calibrate", "--longest", "1ms")
	flags := regexp.MustCompile(`--hash-memory \d+ --hash-passes \d+ --hash-slots \d+`).FindString(out)
	if err != nil || !strings.Contains(out, "19 MiB") || flags == "" {
		t.Fatalf("hash calibrate = %v: %q; want a table and flags", err, out)
	}
	must(t, "The configuration is good.", append([]string{"check", "--upstream", "http://127.0.0.1:3000"}, strings.Fields(flags)...)...)
	refused(t, "hash memory must be from", "check", "--upstream", "http://127.0.0.1:3000", "--hash-memory", "1")
	refused(t, "cannot use the certificate", "check", "--upstream", "http://127.0.0.1:3000", "--tls-cert", "/nowhere", "--tls-key", "/nowhere")
	refused(t, "--longest must be", "hash", "calibrate", "--longest", "0s")
}
