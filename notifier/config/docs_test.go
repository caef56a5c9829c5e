package config_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"shopwatch/internal/configfile"
	"shopwatch/notifier/config"
)

func TestEveryOptionIsInTheDocumentationAsTheFileTakesIt(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"secrets/bot.token": "123456789:AAexample", "secrets/mail": "p", "secrets/aliyun": "s", "secrets/tencent": "s", "secrets/twilio": "s", "secrets/gateway": "s",
		"secrets/dingtalk": "https://oapi.dingtalk.com/robot/send?access_token=t", "secrets/dingtalk.sign": "SECs",
		"secrets/tickets": "https://tickets.example.com/in", "secrets/tickets.key": "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0",
		"secrets/dsn":      "postgres://user:password@db/shopwatch?sslmode=verify-full",
		"contact-2027.key": strings.Repeat("A", 43) + "=", "contact.key": strings.Repeat("B", 42) + "A=",
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```")
	for _, path := range []string{"../../docs/telling.en.md", "../../docs/telling.zh-CN.md"} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var whole strings.Builder // the first block begins the section, the others go on with it
			for _, block := range blocks.FindAllStringSubmatch(string(text), -1) {
				whole.WriteString(block[1])
			}
			dir := t.TempDir()
			for name, content := range files {
				if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, name), []byte(content+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			file := filepath.Join(dir, "shopwatch.yml")
			if err := os.WriteFile(file, []byte(whole.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			doc, err := configfile.Read(file, func(string) (string, bool) { return "", false })
			if err != nil {
				t.Fatal(err)
			}
			if _, err := config.Load(doc); err != nil {
				t.Error(err)
			}
		})
	}
}
