package orders_test

import (
	"bytes"
	"encoding/csv"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"shopwatch/exporter/orders"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

// ofThisYear is a list as the exporter gives it, of a shop that is well and one
// whose database is away.
func ofThisYear(t *testing.T) (list orders.List) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)))
		well, away := newBook(time.Now()), newBook(time.Now())
		away.books.Up, away.books.Problem = false, "connection refused"
		moscow := away.shop("点卡店", true)
		moscow.Zone = time.FixedZone("Europe/Moscow", 3*60*60)
		list = listed(t, made(t, nil, well.shop("main", true), moscow), "state=open")
	})
	return list
}

func TestAListReadsWellInEveryForm(t *testing.T) {
	t.Parallel()
	list := ofThisYear(t)
	for _, format := range orders.Formats {
		var out bytes.Buffer
		if err := list.Write(&out, format); err != nil {
			t.Fatal(err)
		}
		golden(t, "list."+format, out.Bytes())
	}
	golden(t, "remarks", []byte(strings.Join(list.Remarks(), "\n")+"\n"))
}

func TestAnEmptyListHasNoTableAndAHeaderForPrograms(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{
		"table": "",
		"csv":   "shop,id,number,state,kind,products,payment,amount,currency,created,since,waiting_seconds\n",
		"json":  "{\n  \"shops\": [],\n  \"orders\": [],\n  \"more\": 0\n}\n",
	} {
		var out bytes.Buffer
		if err := (orders.List{Shops: []orders.Source{}, Orders: []orders.Row{}}).Write(&out, format); err != nil || out.String() != want {
			t.Errorf("%s: got %q, %v", format, out.String(), err)
		}
	}
}

func TestNoCellIsAFormulaAndNoneCommandsATerminal(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"} {
		var out bytes.Buffer
		list := orders.List{Orders: []orders.Row{{Number: text, Payment: text, Products: []orders.Product{{ID: text, Quantity: 1}}}}}
		if err := list.Write(&out, "csv"); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(&out).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range []int{2, 5, 6} {
			if !strings.HasPrefix(rows[1][i], "'") {
				t.Errorf("%q is the cell %q", text, rows[1][i])
			}
		}
	}
	var out bytes.Buffer
	list := orders.List{Orders: []orders.Row{{Number: "a\x1b]0;title\x07\nb\u202e"}}}
	if err := list.Write(&out, "table"); err != nil || strings.ContainsAny(out.String(), "\x1b\x07\u202e") || strings.Count(out.String(), "\n") != 2 {
		t.Errorf("got %q, %v", out.String(), err)
	}
}

func TestTheOperatorReadsAnOrdersProgressLineByLine(t *testing.T) {
	t.Parallel()
	var text string
	synctest.Test(t, func(t *testing.T) {
		client := made(t, nil, newBook(time.Now()).shop("main", true))
		for _, number := range []string{"STUCKMACHINE0001", "WAITSFORPERSON02", "SHORTOFCARDS0003", "NOTYETPAID000004", "DELIVEREDBYHAND8", "FRESHLYPAID00007"} {
			var out bytes.Buffer
			if err := progress(t, client, number).Write(&out); err != nil {
				t.Fatal(err)
			}
			text += out.String() + "\n"
		}
	})
	golden(t, "progress", []byte(text))
}
