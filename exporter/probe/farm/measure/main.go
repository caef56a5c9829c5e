// Command measure compares whole processes: shopwatch's exporter beside
// blackbox_exporter, both looking at the same farm on loopback, and prints what
// a look and a scrape cost. docs/looks.sh builds the three and runs it.
//
// It judges nothing and fails for no figure: machines differ and are noisy, so
// the aims stand beside the figures for whoever reads them. Linux only, since it
// reads /proc.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"shopwatch/exporter/probe/farm"
)

// options are the command line.
type options struct {
	shopwatch, blackbox string
	targets, many       int
	interval, window    time.Duration
	dir                 string
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "farm" {
		serve()
		return
	}
	var o options
	flag.StringVar(&o.shopwatch, "shopwatch", "", "binary to measure")
	flag.StringVar(&o.blackbox, "blackbox", "", "blackbox_exporter's binary; without one only shopwatch is measured")
	flag.IntVar(&o.targets, "targets", 1000, "targets")
	flag.IntVar(&o.many, "many", 10000, "targets of the memory figure; 0 leaves it out")
	flag.DurationVar(&o.interval, "interval", 15*time.Second, "between two looks at a target")
	flag.DurationVar(&o.window, "window", time.Minute, "how long each case is measured")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve is the farm's process: it prints its targets and stays until it is interrupted.
func serve() {
	f, err := farm.New(farm.Config{Ports: 16})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer f.Close()
	const most = 10000
	sets := map[string][]string{
		"http":   f.Targets(most, farm.Answer, false),
		"spread": f.Targets(most, farm.Spread, false),
		"https":  f.Targets(most, farm.Answer, true),
	}
	if err := json.NewEncoder(os.Stdout).Encode(grown{sets, string(f.PEM())}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	<-stop
}

// grown is what the farm's process tells.
type grown struct {
	Targets map[string][]string
	CA      string
}

func run(o options) (err error) {
	if o.dir, err = os.MkdirTemp("", "looks"); err != nil {
		return err
	}
	defer os.RemoveAll(o.dir)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	command := exec.Command(self, "farm")
	out, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		return err
	}
	defer func() {
		_ = command.Process.Signal(os.Interrupt)
		_ = command.Wait()
	}()
	var field grown
	if err := json.NewDecoder(out).Decode(&field); err != nil {
		return fmt.Errorf("farm: %w", err)
	}
	ca := filepath.Join(o.dir, "ca.pem")
	if err := os.WriteFile(ca, []byte(field.CA), 0o600); err != nil {
		return err
	}
	fmt.Printf("%d targets every %s, a fresh connection and a full handshake each look, %s a case, loopback\n\n", o.targets, o.interval, o.window)
	fmt.Printf("%-28s %14s %14s %7s  %s\n", "CPU a look (µs)", "shopwatch", "blackbox", "ratio", "aim")
	aims := []struct{ set, name, aim string }{
		{"http", "HTTP, answers at once", "<= 1/5"}, {"spread", "HTTP, after 20-200 ms", "<= 1/3"}, {"https", "HTTPS, answers at once", "<= 1/2.5"},
	}
	var notes strings.Builder
	for _, a := range aims {
		targets := field.Targets[a.set][:o.targets]
		ours, err := o.measureShopwatch(targets, ca)
		if err != nil {
			return fmt.Errorf("%s: shopwatch: %w", a.name, err)
		}
		theirs := measured{}
		if o.blackbox != "" {
			if theirs, err = o.measureBlackbox(targets, ca); err != nil {
				return fmt.Errorf("%s: blackbox: %w", a.name, err)
			}
		}
		fmt.Printf("%-28s %14.0f %14.0f %7s  %s\n", a.name, ours.cpuPerLook, theirs.cpuPerLook, ratio(theirs.cpuPerLook, ours.cpuPerLook), a.aim)
		ours.tell(&notes, a.name, theirs)
	}
	fmt.Print("\n", notes.String())
	if o.many == 0 {
		return nil
	}
	return o.measureMany(field.Targets["http"][:o.many])
}

func ratio(theirs, ours float64) string {
	if theirs == 0 || ours == 0 {
		return "-"
	}
	return fmt.Sprintf("1/%.1f", theirs/ours)
}
