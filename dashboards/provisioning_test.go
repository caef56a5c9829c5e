package dashboards_test

import (
	"io/fs"
	"testing"

	"github.com/goccy/go-yaml"

	"shopwatch/dashboards"
)

func TestProvisioningNamesADataSourceAndTheBoards(t *testing.T) {
	t.Parallel()
	read := func(path string, into any) {
		t.Helper()
		content, err := fs.ReadFile(dashboards.Files(), path)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalWithOptions(content, into, yaml.Strict()); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	var sources struct {
		APIVersion  int `yaml:"apiVersion"`
		Datasources []struct {
			Name, UID, Type, Access, URL string
			IsDefault                    bool           `yaml:"isDefault"`
			JSONData                     map[string]any `yaml:"jsonData"`
		}
	}
	read("provisioning/datasources/shopwatch.yaml", &sources)
	if sources.APIVersion != 1 || len(sources.Datasources) != 1 {
		t.Fatalf("got %+v, want one data source", sources)
	}
	if s := sources.Datasources[0]; s.Type != "prometheus" || s.UID == "" || s.Access != "proxy" || s.URL == "" || s.IsDefault {
		t.Errorf("the data source is %+v", s)
	}
	var providers struct {
		APIVersion int `yaml:"apiVersion"`
		Providers  []struct {
			Name, Folder, Type string
			OrgID              int    `yaml:"orgId"`
			FolderUID          string `yaml:"folderUid"`
			DisableDeletion    bool   `yaml:"disableDeletion"`
			UpdateInterval     int    `yaml:"updateIntervalSeconds"`
			AllowUIUpdates     bool   `yaml:"allowUiUpdates"`
			Options            struct {
				Path                      string
				FoldersFromFilesStructure bool `yaml:"foldersFromFilesStructure"`
			}
		}
	}
	read("provisioning/dashboards/shopwatch.yaml", &providers)
	if providers.APIVersion != 1 || len(providers.Providers) != 1 {
		t.Fatalf("got %+v, want one provider", providers)
	}
	if p := providers.Providers[0]; p.Type != "file" || p.Options.Path == "" || p.Name == "" {
		t.Errorf("the provider is %+v", p)
	}
}

func TestFilesAreTheBoardAndItsProvisioning(t *testing.T) {
	t.Parallel()
	var got []string
	err := fs.WalkDir(dashboards.Files(), ".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			got = append(got, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"provisioning/dashboards/shopwatch.yaml", "provisioning/datasources/shopwatch.yaml", "shop.json"}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("got %v, want %v", got, want)
	}
}
