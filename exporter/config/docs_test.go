package config_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/common/model"
	toolkit "github.com/prometheus/exporter-toolkit/web"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"go.yaml.in/yaml/v3"

	"shopwatch/exporter"
	"shopwatch/exporter/config"
	"shopwatch/internal/configfile"
	"shopwatch/rules"
)

// The owner's reference, docs/services.*.md and docs/shops.*.md, says nothing
// that isn't so.

// The documents of the reference, and the languages of each.
var (
	documents = []string{"services", "shops"}
	languages = []string{"en", "zh-CN"}
)

// reference reads a document in a language.
func reference(t *testing.T, document, language string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/" + document + "." + language + ".md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var fence = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

// examples are the blocks of YAML of a document.
func examples(document string) []string {
	var blocks []string
	for _, found := range fence.FindAllStringSubmatch(document, -1) {
		blocks = append(blocks, found[1])
	}
	return blocks
}

// signingKey is an RSA key as a gateway's tool gives it.
var signingKey = sync.OnceValues(func() (string, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return base64.StdEncoding.EncodeToString(der), err
})

// ofReader is what the environment of whoever copies an example holds.
func ofReader(name string) (string, bool) {
	switch name {
	case "WECHAT_KEY":
		key, err := signingKey()
		return key, err == nil
	case "WECHAT_APIV3_KEY":
		return strings.Repeat("k", 32), true
	}
	return token, true
}

// whole makes a file of an example: of services, of a ledger, or of a section
// that may have no shops.
func whole(example string) string {
	switch {
	case strings.HasPrefix(example, "ledger:"):
		return "exporter:\n  shops:\n    - id: main\n      " + strings.ReplaceAll(strings.TrimSpace(example), "\n", "\n      ") + "\n"
	case strings.HasPrefix(example, "- "):
		const above = "exporter:\n  shops:\n    - id: main\n      services:\n"
		return above + "        " + strings.ReplaceAll(strings.TrimSpace(example), "\n", "\n        ") + "\n"
	case !strings.Contains(example, "\n  shops:"):
		return example + "  shops: [{id: main, services: [{id: storefront, target: 'http://127.0.0.1/'}]}]\n"
	}
	return example
}

func TestEveryExampleOfTheReferenceIsTaken(t *testing.T) {
	t.Parallel()
	for _, language := range languages {
		seen := make(map[exporter.Kind]bool)
		for i, example := range examples(reference(t, "services", language)) {
			switch {
			case strings.HasPrefix(example, "scrape_configs:"):
				checkScrape(t, example)
			case strings.HasPrefix(example, "metric_relabel_configs:"):
				checkMetricRelabel(t, example)
			case strings.HasPrefix(example, "tls_server_config:"):
				checkWebConfig(t, example)
			default:
				for _, service := range taken(t, fmt.Sprintf("example %d of %s", i+1, language), whole(example)).Shops[0].Services {
					seen[service.Module.Kind] = true
				}
			}
		}
		for _, kind := range []exporter.Kind{
			exporter.KindHTTP, exporter.KindTCP, exporter.KindDNS, exporter.KindICMP, exporter.KindGRPC, exporter.KindMySQL, exporter.KindPostgres,
			exporter.KindRedis, exporter.KindSMTP, exporter.KindTLS, exporter.KindJourney, exporter.KindPush, exporter.KindUptimeRobot,
			exporter.KindPayment, exporter.KindSMS,
		} {
			if !seen[kind] {
				t.Errorf("%s: no example has kind %s", language, kind)
			}
		}
	}
}

// taken loads a file of the reader's.
func taken(t *testing.T, name, text string) config.Config {
	t.Helper()
	doc, err := configfile.Parse(name, []byte(text), ofReader)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Only(config.Section); err != nil {
		t.Error(err)
	}
	loaded, err := config.Load(doc)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, warning := range loaded.Warnings {
		if !strings.Contains(warning.Got, "everybody on this machine can open it") { // the files of a checkout
			t.Error(warning)
		}
	}
	return loaded
}

// relabelled gives what Prometheus makes of a label set.
func relabelled(configs []*relabel.Config, before ...string) map[string]string {
	for _, config := range configs {
		config.NameValidationScheme = model.UTF8Validation // Prometheus's default, which its loader sets
	}
	builder := labels.NewBuilder(labels.FromStrings(before...))
	relabel.ProcessBuilder(builder, configs...)
	return builder.Labels().Map()
}

func strictly(t *testing.T, text string, into any) {
	t.Helper()
	decoder := yaml.NewDecoder(strings.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(into); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
}

// checkScrape holds the job that scrapes /probe to what it must ask for.
func checkScrape(t *testing.T, example string) {
	t.Helper()
	var written struct {
		Jobs []struct {
			Name          string              `yaml:"job_name"`
			Path          string              `yaml:"metrics_path"`
			Params        map[string][]string `yaml:"params"`
			Authorization struct {
				File string `yaml:"credentials_file"`
			} `yaml:"authorization"`
			Static []struct {
				Targets []string `yaml:"targets"`
			} `yaml:"static_configs"`
			Relabel []*relabel.Config `yaml:"relabel_configs"`
		} `yaml:"scrape_configs"`
	}
	strictly(t, example, &written)
	job := written.Jobs[0]
	target := job.Static[0].Targets[0]
	got := relabelled(job.Relabel, "__address__", target)
	want := map[string]string{"__address__": "127.0.0.1:9816", "__param_target": target, "instance": target}
	if job.Path != "/probe" || len(job.Params["module"]) != 1 || !reflect.DeepEqual(got, want) {
		t.Errorf("got %s of %v, want /probe with a module of %v", job.Path, got, want)
	}
}

// checkMetricRelabel holds the relabelling to that of `shopwatch prometheus`.
func checkMetricRelabel(t *testing.T, example string) {
	t.Helper()
	var written struct {
		Relabel []*relabel.Config `yaml:"metric_relabel_configs"`
	}
	strictly(t, example, &written)
	printed, err := rules.Prometheus(rules.PrometheusOptions{
		Escalation: rules.DefaultEscalation(), Exporter: "127.0.0.1:9816", RuleFiles: []string{"rules.yml"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var ours struct {
		Jobs []struct {
			Relabel []*relabel.Config `yaml:"metric_relabel_configs"`
		} `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal(printed, &ours); err != nil {
		t.Fatal(err)
	}
	if len(ours.Jobs) == 0 || len(ours.Jobs[0].Relabel) == 0 || !reflect.DeepEqual(written.Relabel, ours.Jobs[0].Relabel) {
		t.Errorf("got\n%swant what is printed\n%s", example, printed)
	}
	got := relabelled(written.Relabel, "instance", "127.0.0.1:9816", "target", "https://shop.example.com/")
	if want := map[string]string{"exporter": "127.0.0.1:9816", "instance": "https://shop.example.com/"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// checkWebConfig holds a file for --web.config.file to its words; the
// certificate that it names is the reader's.
func checkWebConfig(t *testing.T, example string) {
	t.Helper()
	var written toolkit.Config
	strictly(t, example, &written)
	if written.TLSConfig.TLSCertPath == "" || written.TLSConfig.TLSKeyPath == "" || len(written.Users) == 0 {
		t.Errorf("got %s, want a certificate and a user", example)
	}
}

var (
	heading  = regexp.MustCompile(`(?m)^(#+) (.*)$`)
	fragment = regexp.MustCompile(`\]\(#([^)]*)\)`)
	notSlug  = regexp.MustCompile(`[^\pL\pN _-]`)
)

func TestTheReferenceIsTheSameInBothLanguages(t *testing.T) {
	t.Parallel()
	shape := func(document string) (levels []string, blocks []any) {
		for _, found := range heading.FindAllStringSubmatch(fence.ReplaceAllString(document, ""), -1) {
			levels = append(levels, found[1])
		}
		for _, example := range examples(document) {
			var block any
			if err := yaml.Unmarshal([]byte(example), &block); err != nil {
				t.Fatal(err)
			}
			blocks = append(blocks, block)
		}
		return levels, blocks
	}
	for _, document := range documents {
		levels, blocks := shape(reference(t, document, "en"))
		otherLevels, otherBlocks := shape(reference(t, document, "zh-CN"))
		if !slices.Equal(levels, otherLevels) {
			t.Errorf("%s: headings: got %v in English and %v in Chinese", document, levels, otherLevels)
		}
		if len(blocks) != len(otherBlocks) {
			t.Fatalf("%s: got %d examples in English and %d in Chinese", document, len(blocks), len(otherBlocks))
		}
		for i, block := range blocks {
			if !reflect.DeepEqual(block, otherBlocks[i]) {
				t.Errorf("%s: example %d: got %v in English and %v in Chinese", document, i+1, block, otherBlocks[i])
			}
		}
	}
}

func TestLinksWithinTheReferenceLeadToAHeading(t *testing.T) {
	t.Parallel()
	for _, language := range languages {
		for _, name := range documents {
			document := reference(t, name, language)
			var known []string
			for _, found := range heading.FindAllStringSubmatch(document, -1) {
				slug := notSlug.ReplaceAllString(strings.ToLower(found[2]), "")
				known = append(known, strings.ReplaceAll(slug, " ", "-"))
			}
			links := fragment.FindAllStringSubmatch(document, -1)
			if len(links) == 0 {
				t.Errorf("%s.%s: no link", name, language)
			}
			for _, link := range links {
				if !slices.Contains(known, link[1]) {
					t.Errorf("%s.%s: #%s is none of %q", name, language, link[1], known)
				}
			}
		}
	}
}

func TestTheReferenceNamesEveryMetricReasonAndDefault(t *testing.T) {
	t.Parallel()
	loaded, err := config.Load(read(t, "testdata/minimal.yml", environment))
	if err != nil {
		t.Fatal(err)
	}
	service := loaded.Shops[0].Services[0]
	var want []string
	for _, metric := range slices.Concat(rules.ExporterMetrics(), rules.ProcessMetrics()) {
		if !ofBooks(metric.Name) {
			want = append(want, "`"+metric.Name+"`")
		}
	}
	for _, reason := range rules.Reasons {
		want = append(want, "\n| `"+string(reason)+"` |")
	}
	for _, role := range rules.Roles {
		want = append(want, "`"+string(role)+"`")
	}
	for _, anchor := range loaded.Anchors {
		want = append(want, "`"+anchor+"`")
	}
	want = append(want, loaded.Host.Collectors...)
	for word, value := range map[string]any{
		"interval": service.Interval, "timeout": service.Timeout, "slow": service.Slow, "failure_threshold": service.FailureThreshold,
		"success_threshold": service.SuccessThreshold, "critical": service.Critical, "public": service.Public, "role": service.Role,
	} {
		want = append(want, fmt.Sprintf("\n| `%s` | `%v`", word, value))
	}
	for _, language := range languages {
		saysAll(t, "services", language, want)
	}
}

func saysAll(t *testing.T, name, language string, want []string) {
	t.Helper()
	document := reference(t, name, language)
	for _, text := range want {
		if !strings.Contains(document, text) {
			t.Errorf("%s.%s: nothing of %q", name, language, strings.TrimSpace(text))
		}
	}
	if lines := bytes.Count([]byte(document), []byte("\n")); lines > 260 {
		t.Errorf("%s.%s: got %d lines, want at most 260", name, language, lines)
	}
}
