package main

import (
	"os"
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
	os.Exit(m.Run())
}
