package configfile_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"shopwatch/internal/configfile"
)

const password = "hunter2"

func TestSecretsInAFileThatEverybodyReadsAndThoseOfTheSampleAreDoubted(t *testing.T) {
	t.Parallel()
	const inTheOpen = "s.password: got a secret in a file of mode 0644, which everybody on this machine can open, " +
		"want chmod 600 of this file, or the secret in one of its own (_file) or in a variable"
	for name, tt := range map[string]struct {
		value string
		mode  os.FileMode
		want  string
	}{
		"its owner alone reads it":           {password, 0o600, ""},
		"everybody reads it":                 {password, 0o644, inTheOpen},
		"everybody reads it, and it's empty": {`""`, 0o644, ""},
		"it is in a variable":                {"${SMTP}", 0o644, ""},
		"it is the sample's":                 {"${SAMPLE}", 0o644, "s.password: got the sample's value, want your own"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made, dir := folder(t, "s:\n  password: "+tt.value+"\n", nil)
			for path, mode := range map[string]os.FileMode{made.Name(): tt.mode, dir: 0o755, filepath.Dir(dir): 0o755} {
				if err := os.Chmod(path, mode); err != nil {
					t.Fatal(err)
				}
			}
			doc, err := configfile.Read(made.Name(), func(name string) (string, bool) {
				return map[string]string{"SMTP": password, "SAMPLE": "123:replace-with-the-token"}[name], true
			})
			if err != nil {
				t.Fatal(err)
			}
			problems := doc.Problems()
			var got kitchen
			doc.Decode("s", &got, problems)
			if err := problems.Err(); err != nil {
				t.Fatal(err)
			}
			want := tt.want
			if want != "" {
				want = doc.Name() + ":2: " + want
			}
			if said := problems.Doubts().Error(); said != want {
				t.Errorf("got %q, want %q", said, want)
			}
		})
	}
}

func TestASecretIsNeverPrinted(t *testing.T) {
	t.Parallel()
	secret := configfile.NewSecret(password)
	holder := struct {
		Name   string
		Secret configfile.Secret
		List   []configfile.Secret
		Map    map[string]configfile.Secret
		To     *configfile.Secret
		inner  configfile.Secret // fmt calls no method of an unexported field
	}{"n", secret, []configfile.Secret{secret}, map[string]configfile.Secret{"k": secret}, &secret, secret}

	var printed []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%10v", "%T"} {
		printed = append(printed, fmt.Sprintf(verb, secret), fmt.Sprintf(verb, &secret), fmt.Sprintf(verb, holder))
	}
	printed = append(printed, fmt.Sprint(secret), secret.String(), secret.GoString(), fmt.Errorf("x: %v", secret).Error())
	for _, value := range []any{secret, holder} {
		marshalled, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		printed = append(printed, string(marshalled))
	}
	text, err := secret.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	printed = append(printed, string(text))
	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(handler).Info("m", "secret", secret, "holder", holder, "list", []any{secret})
	}
	printed = append(printed, log.String())

	for _, line := range printed {
		for _, leak := range []string{password, fmt.Sprintf("%x", password), fmt.Sprintf("%X", password)} {
			if strings.Contains(line, leak) {
				t.Errorf("%q leaks", line)
			}
		}
	}
	if got := fmt.Sprintf("%v %d", secret, secret); got != "<secret> <secret>" {
		t.Errorf("got %q", got)
	}
	var back string
	if marshalled, err := json.Marshal(secret); err != nil || json.Unmarshal(marshalled, &back) != nil || back != "<secret>" {
		t.Errorf("got JSON %s, %v", marshalled, err)
	}
	if secret.Reveal() != password || !secret.IsSet() || (configfile.Secret{}).IsSet() {
		t.Error("the secret itself is lost")
	}
}

// folder writes a config file and a folder of secrets beside it.
func folder(t *testing.T, config string, files map[string]string) (*configfile.Document, string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, "secrets", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "shopwatch.yml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	doc, err := configfile.Read(path, environment("PASSWORD", password, "NAME", "smtp"))
	if err != nil {
		t.Fatal(err)
	}
	return doc, dir
}

func TestASecretComesFromTheFieldOrItsFile(t *testing.T) {
	t.Parallel()
	absolute := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.WriteFile(absolute, []byte(password), 0o600); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"smtp": password + "\n", "windows": password + "\r\n", "bare": password}
	for name, field := range map[string]string{
		"in the field":                        "password: " + password,
		"in quotes":                           `password: "hunter2"`,
		"from the environment":                "password: ${PASSWORD}",
		"in a file beside the config file":    "password_file: secrets/smtp",
		"in a file with Windows' line ends":   "password_file: secrets/windows",
		"in a file without a line end":        "password_file: secrets/bare",
		"in a file named by the environment":  "password_file: secrets/${NAME}",
		"in a file anywhere":                  "password_file: " + absolute,
		"in a file, the field being left out": "password:\n  password_file: secrets/smtp",
		"in the field, the file being empty":  "password: hunter2\n  password_file:",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc, _ := folder(t, "s:\n  "+field+"\n", files)
			problems := doc.Problems()
			var got kitchen
			doc.Decode("s", &got, problems)
			if err := problems.Err(); err != nil {
				t.Fatal(err)
			}
			if got.Password.Reveal() != password {
				t.Errorf("got %q", got.Password.Reveal())
			}
			if now, err := got.Password.Read(); err != nil || now != password {
				t.Errorf("got %q, %v when read again", now, err)
			}
		})
	}
}

func TestASecretOfDigitsStaysAsItIsWritten(t *testing.T) {
	t.Parallel()
	var got kitchen
	if err := decode(t, "s: {password: 00123_4}", &got, nil); err != nil || got.Password.Reveal() != "00123_4" {
		t.Errorf("got %q, %v", got.Password.Reveal(), err)
	}
}

func TestAnUnusableSecretIsOneLineWithoutIt(t *testing.T) {
	t.Parallel()
	files := map[string]string{"empty": "\n", "lines": password + "\n" + password + "\n", "large": strings.Repeat(password, 10_000), "good": password}
	for name, test := range map[string]struct{ field, want string }{
		"a file that is not there":   {"password_file: secrets/absent", "s.password_file: got secrets/absent (no such file or directory), want a readable file that holds the secret"},
		"a folder":                   {"password_file: secrets", "s.password_file: got secrets (no regular file), want a readable file that holds the secret"},
		"an empty file":              {"password_file: secrets/empty", "s.password_file: got secrets/empty (empty), want a readable file that holds the secret"},
		"a file of several lines":    {"password_file: secrets/lines", "s.password_file: got secrets/lines (more than one line of text), want a readable file that holds the secret"},
		"a large file":               {"password_file: secrets/large", "s.password_file: got secrets/large (larger than 64 KiB), want a readable file that holds the secret"},
		"both the field and a file":  {"password_file: secrets/good\n  password: hunter2", "s.password_file: got both password and password_file, want one of the two"},
		"a list in the field":        {"password: [hunter2]", "s.password: got a list, want a text"},
		"a mapping in the field":     {"password: {hunter2: x}", "s.password: got a mapping, want a text"},
		"a list for the file":        {"password_file: [hunter2]", "s.password_file: got a list, want a text"},
		"an unset variable":          {"password: hunter2${ABSENT}", "s.password: got ${ABSENT}, which is not set, want the variable in the environment"},
		"an unset variable for path": {"password_file: ${ABSENT}", "s.password_file: got ${ABSENT}, which is not set, want the variable in the environment"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc, dir := folder(t, "s:\n  "+test.field+"\n", files)
			problems := doc.Problems()
			var got kitchen
			doc.Decode("s", &got, problems)
			err := problems.Err()
			if want := filepath.Join(dir, "shopwatch.yml") + ":2: " + test.want; err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
			// It is a mistake once, also where a validator misses the secret.
			problems.Add("s.password", configfile.Secret{}, "a password")
			if again := problems.Err(); again == nil || again.Error() != err.Error() {
				t.Errorf("got a second mistake: %v", again)
			}
		})
	}
}

func TestReadSeesASecretThatWasReplacedOnDisk(t *testing.T) {
	t.Parallel()
	doc, dir := folder(t, "s:\n  password_file: secrets/token\n", map[string]string{"token": "old\n"})
	problems := doc.Problems()
	var got kitchen
	doc.Decode("s", &got, problems)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "secrets", "token")
	if err := os.WriteFile(path, []byte("new\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if now, err := got.Password.Read(); err != nil || now != "new" || got.Password.Reveal() != "old" {
		t.Errorf("got %q, %v; revealed %q", now, err, got.Password.Reveal())
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("secret file %q: no such file or directory", path)
	if _, err := got.Password.Read(); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestASecretFileThatEverybodyCanOpenIsADoubtAndNoMistake(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // it has no modes
	}
	for name, tt := range map[string]struct {
		file, folder os.FileMode
		doubted      bool
	}{
		"it is its owner's":                    {0o600, 0o755, false},
		"it is a group's":                      {0o640, 0o755, false},
		"everybody reads it":                   {0o644, 0o755, true},
		"everybody changes it":                 {0o602, 0o755, true},
		"everybody reads it, in a shut folder": {0o644, 0o700, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc, dir := folder(t, "s:\n  count: 1\n  password_file: secrets/link\n", map[string]string{"smtp": password})
			for _, step := range []struct {
				path string
				mode os.FileMode
			}{{filepath.Join(dir, "secrets", "smtp"), tt.file}, {filepath.Join(dir, "secrets"), tt.folder}, {dir, 0o755}, {filepath.Dir(dir), 0o755}} {
				if err := os.Chmod(step.path, step.mode); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Symlink("smtp", filepath.Join(dir, "secrets", "link")); err != nil { // as Kubernetes mounts them
				t.Fatal(err)
			}
			problems := doc.Problems()
			var got kitchen
			doc.Decode("s", &got, problems)
			if err := problems.Err(); err != nil || got.Password.Reveal() != password {
				t.Fatalf("got %v", err)
			}
			want := ""
			if tt.doubted {
				want = fmt.Sprintf("%s:3: s.password_file: got secrets/link (mode %04o: everybody on this machine can open it), "+
					"want a file of the one user who runs shopwatch: chmod 600 it, or mount it with mode 0440", doc.Name(), tt.file)
			}
			if said := problems.Doubts().Error(); said != want {
				t.Errorf("got %q, want %q", said, want)
			}
		})
	}
}
