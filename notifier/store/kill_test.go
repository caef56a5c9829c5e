package store_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"shopwatch/notifier"
	"shopwatch/notifier/store"
	"shopwatch/notifier/store/storetest"
)

// resealing names the store that a process of this test seals anew.
const resealing = "SHOPWATCH_TEST_RESEAL"

// TestProcessThatReseals is no test but the process that the next one kills: it
// says a word for each address, until there is none.
func TestProcessThatReseals(t *testing.T) {
	var cfg store.Config
	if json.Unmarshal([]byte(os.Getenv(resealing)), &cfg) != nil {
		return
	}
	s := storetest.Place{Config: cfg}.Open(t)
	for more := true; more; {
		var err error
		if more, err = s.Reseal(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		fmt.Println("resealed")
	}
}

func TestKillAmidTheReplacementOfTheKeyLosesNoAddress(t *testing.T) {
	t.Parallel()
	place := storetest.SQLite(t)
	s := place.Open(t)
	var want []string
	for i := range 60 {
		address := fmt.Sprintf("b%d@x.example", i)
		if err := s.Subscribe(t.Context(), notifier.Recipient{Channel: "email", Address: address, Language: notifier.Chinese}); err != nil {
			t.Fatal(err)
		}
		want = append(want, address)
	}
	s.Close()
	place = rotated(t, place, 3)
	cfg, err := json.Marshal(place.Config)
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		process := exec.Command(os.Args[0], "-test.run=^TestProcessThatReseals$", "-test.v")
		process.Env = append(os.Environ(), resealing+"="+string(cfg))
		out, err := process.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := process.Start(); err != nil {
			t.Fatal(err)
		}
		words, after := 0, rand.IntN(12)+1
		for lines := bufio.NewScanner(out); words < after && lines.Scan(); {
			if lines.Text() == "resealed" {
				words++
			}
		}
		process.Process.Kill()
		process.Wait()
		if words != after {
			t.Fatalf("the process said %d words, want %d", words, after)
		}
		s = place.Open(t)
		if got := addresses(t, s); got != strings.Join(want, " ") {
			t.Fatalf("after the kill: %s", got)
		}
		s.Close()
	}
	s = place.Open(t)
	reseal(t, s, 10)
	s.Close()
	place.PreviousKeyFiles = nil
	if got := addresses(t, place.Open(t)); got != strings.Join(want, " ") {
		t.Errorf("with the new key alone: %s", got)
	}
}
