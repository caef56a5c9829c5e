package rules_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/template"

	"shopwatch/rules"
)

// constants are the values of all constants of a type in words.go.
func constants(t *testing.T, typ string) (values []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "words.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); ok && name.Name == typ {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, value)
		}
		return true
	})
	if len(values) == 0 {
		t.Fatalf("words.go has no constant of type %s", typ)
	}
	return values
}

// told is the annotation of an alert as Prometheus fills it when every query
// of its answers with one series of this reason.
func told(t *testing.T, alert, annotation, reason string) string {
	t.Helper()
	for _, rule := range alertsOf(parseAll(t, rules.DefaultEscalation())) {
		if rule.Alert != alert {
			continue
		}
		query := func(context.Context, string, time.Time) (promql.Vector, error) {
			return promql.Vector{{F: 1, Metric: labels.FromStrings(rules.LabelReason, reason)}}, nil
		}
		text := `{{ $labels := .Labels }}{{ $value := .Value }}` + rule.Annotations[annotation]
		data := template.AlertTemplateData(map[string]string{rules.LabelShop: "demo", rules.LabelService: "alipay"}, nil, "", promql.Sample{F: 1})
		filled, err := template.NewTemplateExpander(t.Context(), text, alert, data, model.Time(0), query, &url.URL{}, nil).Expand()
		if err != nil {
			t.Fatal(err)
		}
		return filled
	}
	t.Fatalf("there is no alert %s", alert)
	return ""
}

func TestEveryReasonIsToldInWordsInBothLanguagesWithItsNameBehindThem(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		typ, alert string
		words      func(string) rules.Text
	}{
		{"Reason", rules.AlertServiceDown, func(r string) rules.Text { return rules.Reason(r).Words() }},
		{"Reason", rules.AlertServiceDownProlonged, func(r string) rules.Text { return rules.Reason(r).Words() }},
		{"LedgerReason", "LedgerDown", func(r string) rules.Text { return rules.LedgerReason(r).Words() }},
	} {
		for _, reason := range constants(t, tt.typ) {
			words := tt.words(reason)
			if words.EN == "" || words.ZH == "" {
				t.Errorf("%s %q has no words in %+v", tt.typ, reason, words)
				continue
			}
			for annotation, want := range map[string]string{
				rules.AnnotationDescription:   ": " + words.EN + " (" + reason + ").",
				rules.AnnotationDescriptionZH: "主要失败原因：" + words.ZH + "（" + reason + "）。",
			} {
				if got := told(t, tt.alert, annotation, reason); !strings.HasSuffix(strings.TrimSpace(got), want) {
					t.Errorf("%s, annotation %s of reason %q is %q, want %q at its end", tt.alert, annotation, reason, got, want)
				}
			}
		}
	}
}

func TestAReasonOfALaterExporterIsToldByItsName(t *testing.T) {
	t.Parallel()
	if got := told(t, rules.AlertServiceDown, rules.AnnotationDescription, "gravity"); !strings.HasSuffix(strings.TrimSpace(got), "Most looks failed: gravity.") {
		t.Errorf("got %q", got)
	}
}
