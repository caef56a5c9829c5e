package main_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// house is the module whose rooms the walls stand between.
const house = "shopwatch"

// room is a package as `go list -json` tells it.
type room struct {
	ImportPath                         string
	Doc                                string
	Imports, TestImports, XTestImports []string
}

func rooms(t *testing.T) []room {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Doc,Imports,TestImports,XTestImports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var list []room
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var r room
		if err := d.Decode(&r); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
}

// mayImport is the table of the walls: whether a room may import another of ours.
func mayImport(from, to string) bool {
	from, to = strings.TrimPrefix(from, house+"/"), strings.TrimPrefix(to, house+"/")
	half, _, _ := strings.Cut(from, "/")
	switch {
	case from == house: // main joins the halves
		return slices.Contains([]string{
			"rules", "rules/engine", "dashboards", "internal/configfile", "internal/guard",
			"exporter", "exporter/app", "exporter/config", "exporter/demo", "exporter/orders",
			"notifier", "notifier/app", "notifier/config", "notifier/console", "notifier/sandbox", "notifier/subscription",
		}, to)
	case to == "rules":
		return half != "internal"
	case to == "exporter/ledger/database": // the one door of all drivers
		return strings.HasPrefix(from, "exporter/ledger/")
	case to == "internal/statefile":
		return half == "exporter"
	case strings.HasPrefix(from, to+"/"): // a child may import its parent
		return true
	case from == "exporter/app":
		return strings.HasPrefix(to, "exporter/") && to != "exporter/demo"
	case from == "notifier/app":
		return strings.HasPrefix(to, "notifier/") && to != "notifier/sandbox" || to == "internal/guard"
	case from == "exporter/config" || from == "notifier/config":
		return to == "internal/configfile" || to == half
	case from == "rules/engine":
		return to == "internal/configfile"
	case from == "notifier/intake" || from == "notifier/console" || from == "notifier/subscription" || from == "exporter/demo" || from == "exporter/orders":
		return to == "internal/guard" || to == half
	case half == "exporter" || half == "notifier":
		return to == half
	}
	return false
}

func TestNoRoomImportsAcrossAWall(t *testing.T) {
	t.Parallel()
	for _, r := range rooms(t) {
		for _, to := range r.Imports {
			if (to == house || strings.HasPrefix(to, house+"/")) && !strings.HasSuffix(r.ImportPath, "test") && !mayImport(r.ImportPath, to) {
				t.Errorf("%s imports %s", r.ImportPath, to)
			}
		}
	}
}

func TestHalvesNeverMeetEvenInTests(t *testing.T) {
	t.Parallel()
	for _, r := range rooms(t) {
		for _, to := range slices.Concat(r.Imports, r.TestImports, r.XTestImports) {
			for a, b := range map[string]string{"exporter": "notifier", "notifier": "exporter"} {
				if strings.HasPrefix(r.ImportPath, house+"/"+a) && strings.HasPrefix(to, house+"/"+b) {
					t.Errorf("%s imports %s", r.ImportPath, to)
				}
			}
		}
	}
}

func TestOnlyTheEngineKnowsPrometheusAndAlertmanager(t *testing.T) {
	t.Parallel()
	for _, r := range rooms(t) {
		for _, to := range r.Imports {
			if strings.HasPrefix(to, "github.com/prometheus/prometheus/") || strings.HasPrefix(to, "github.com/prometheus/alertmanager/") {
				if r.ImportPath != house+"/rules/engine" && !strings.HasSuffix(r.ImportPath, "test") {
					t.Errorf("%s imports %s", r.ImportPath, to)
				}
			}
		}
	}
}

func TestEveryRoomSaysWhatItIsFor(t *testing.T) {
	t.Parallel()
	for _, r := range rooms(t) {
		if len(r.Doc) < 20 {
			t.Errorf("%s has no package comment", r.ImportPath)
		}
		for _, name := range []string{"util", "utils", "common", "helpers", "manager"} {
			if strings.HasSuffix(r.ImportPath, "/"+name) {
				t.Errorf("%s is named after nothing", r.ImportPath)
			}
		}
	}
}
