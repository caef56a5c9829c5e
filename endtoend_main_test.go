package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestMain lets the test binary be shopwatch itself: the end-to-end tests start
// it again with SHOPWATCH_MAIN=1, so that they run the very program, as
// instrumented as the test is, without linking it a second time.
func TestMain(m *testing.M) {
	if os.Getenv("SHOPWATCH_MAIN") == "1" {
		main()
		os.Exit(0)
	}
	const released = "SHOPWATCH_TEST_RELEASED" // the program as it is released, built by the first test that needs it
	inherited := os.Getenv(released)
	code := m.Run()
	if built := os.Getenv(released); built != inherited {
		os.RemoveAll(filepath.Dir(built))
	}
	os.Exit(code)
}
