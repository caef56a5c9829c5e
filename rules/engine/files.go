package engine

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/units"
	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	_ "github.com/prometheus/prometheus/discovery/file" // file_sd_configs
	_ "github.com/prometheus/prometheus/discovery/http" // http_sd_configs
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage/remote"
)

// files is what the two configuration files say.
type files struct {
	prometheus   *config.Config
	alertmanager *amconfig.Config
}

// load reads and checks both configuration files and all rule files. All
// problems are returned joined, each naming its file.
func load(c Config, base *url.URL) (files, error) {
	prometheus, err := loadPrometheus(c, base)
	if err != nil {
		err = fmt.Errorf("prometheus configuration %q: %w", c.PrometheusConfig, err)
	}
	alertmanager, amErr := loadAlertmanager(c)
	if amErr != nil {
		amErr = fmt.Errorf("alertmanager configuration %q: %w", c.AlertmanagerConfig, amErr)
	}
	return files{prometheus, alertmanager}, errors.Join(err, amErr)
}

func loadPrometheus(c Config, base *url.URL) (*config.Config, error) {
	conf, err := config.LoadFile(c.PrometheusConfig, false, c.Logger)
	if err != nil {
		return nil, err
	}
	if _, err := conf.GetScrapeConfigs(); err != nil {
		return nil, err
	}
	// Silence would be worse than a refusal: somebody relies on these.
	for _, section := range []struct {
		name string
		used bool
	}{
		{"remote_read", len(conf.RemoteReadConfigs) > 0},
		{"tracing", conf.TracingConfig.Endpoint != ""},
	} {
		if section.used {
			return nil, fmt.Errorf("%s isn't supported by the embedded Prometheus: remove it, or run a Prometheus of your own", section.name)
		}
	}
	if err := errors.Join(checkRemoteWrite(conf.RemoteWriteConfigs), checkRules(c, conf)); err != nil {
		return nil, err
	}
	keep := conf.StorageConfig.TSDBConfig.Retention
	if keep.Time == 0 && keep.Size == 0 && keep.Percentage == 0 {
		keep.Time, keep.Size = model.Duration(c.Retention), units.Base2Bytes(c.RetentionSize)
	}
	here := config.DefaultAlertmanagerConfig
	here.Scheme = base.Scheme
	here.PathPrefix = base.JoinPath(AlertmanagerPath).Path
	conf.AlertingConfig.AlertmanagerConfigs = config.AlertmanagerConfigs{&here}
	return conf, nil
}

// checkRemoteWrite refuses what Prometheus would refuse only when it applies a
// configuration: certificates that can't be read, and the same receiver twice.
// A password in a URL is refused too.
func checkRemoteWrite(list []*config.RemoteWriteConfig) error {
	for i, c := range list {
		if slices.ContainsFunc(list[:i], func(other *config.RemoteWriteConfig) bool { return reflect.DeepEqual(c, other) }) {
			return errors.New("remote_write: the same receiver twice")
		}
		if c.URL.User != nil { // which Prometheus logs
			return errors.New("remote_write: the url holds a user or a password: write them as basic_auth")
		}
		_, err := remote.NewWriteClient("check", &remote.ClientConfig{
			URL: c.URL, WriteProtoMsg: c.ProtobufMessage, Timeout: c.RemoteTimeout, HTTPClientConfig: c.HTTPClientConfig,
			SigV4Config: c.SigV4Config, AzureADConfig: c.AzureADConfig, GoogleIAMConfig: c.GoogleIAMConfig, Headers: c.Headers,
		})
		if err != nil {
			return fmt.Errorf("remote_write: %w", err)
		}
	}
	return nil
}

// checkRules parses all rule files. Prometheus takes a file that isn't there
// for a pattern without matches and starts without alerts; here it is an error.
func checkRules(c Config, conf *config.Config) error {
	for _, pattern := range conf.RuleFiles {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			return fmt.Errorf("rule_files: %q: %w", pattern, err)
		}
		if len(matches) > 0 {
			continue
		}
		if !strings.ContainsAny(pattern, `*?[`) {
			return fmt.Errorf("rule_files: %q doesn't exist", pattern)
		}
		c.Logger.Warn("no rule file matches: no alert will come of it", "pattern", pattern, "file", c.PrometheusConfig)
	}
	return rules.ParseFiles(conf.RuleFiles, conf.GlobalConfig.MetricNameValidationScheme, newParser(), c.Logger)
}

func newParser() parser.Parser {
	return parser.NewParser(parser.Options{ExperimentalDurationExpr: true}) // on by default in Prometheus
}

func loadAlertmanager(c Config) (*amconfig.Config, error) {
	modernMatchers(c.Logger)
	conf, err := amconfig.LoadFile(c.AlertmanagerConfig)
	if err != nil {
		return nil, err
	}
	if conf.TracingConfig.Endpoint != "" {
		return nil, errors.New("tracing isn't supported by the embedded Alertmanager: remove it, or run an Alertmanager of your own")
	}
	return conf, nil
}
