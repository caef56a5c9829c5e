package configfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unicode"
)

// fileSuffix of a field's name says that the value is the path of the file that holds the secret.
const fileSuffix = "_file"

// maxSecret is the size of the largest secret file, in bytes.
const maxSecret = 64 << 10

// hidden is all that anybody who prints a Secret gets.
const hidden = "<secret>"

// Secret is a password or token. It comes from the field `name`, or from the
// file that the field `name_file` names (relative to the config file; line ends
// after it are cut; only PEM, which begins with -----BEGIN, may have several
// lines). However it is printed, logged or marshalled, it shows
// "<secret>"; only Reveal and Read give it.
type Secret struct {
	// A function, because fmt prints %p, and the unexported fields of other
	// structs, past all our methods: of a function it shows an address.
	hold func() (value, file string)
}

// NewSecret hides a value.
func NewSecret(value string) Secret { return newSecret(value, "") }

// newSecret hides a value that came from a file, or from the config file itself.
func newSecret(value, file string) Secret {
	return Secret{func() (string, string) { return value, file }}
}

// open gives what is hidden.
func (s Secret) open() (value, file string) {
	if s.hold == nil {
		return "", ""
	}
	return s.hold()
}

// Reveal gives the secret, as it was when the config file was read, to whoever must send it.
func (s Secret) Reveal() string {
	value, _ := s.open()
	return value
}

// Read gives the secret as its file holds it now, so that a token that was
// replaced on disk is used without a restart. Its error shows the path only.
func (s Secret) Read() (string, error) {
	value, file := s.open()
	if file == "" {
		return value, nil
	}
	now, trouble := readSecret(file)
	if trouble != "" {
		return "", fmt.Errorf("secret file %q: %s", file, trouble)
	}
	return now.Reveal(), nil
}

// IsSet reports whether there is a secret.
func (s Secret) IsSet() bool { return s.Reveal() != "" }

// String hides the secret.
func (s Secret) String() string { return hidden }

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return hidden }

// Format hides the secret from every verb, also %d, which passes String by.
func (s Secret) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, hidden) }

// MarshalJSON hides the secret.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }

// MarshalText hides the secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// LogValue hides the secret.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// Path is the path of a file. In the document it is relative to the config
// file, decoded it is one that this process can open.
type Path string

// readSecret reads a secret file. The trouble says in a few words why not.
func readSecret(path string) (secret Secret, trouble string) {
	// Asked before opening: to open a pipe is to wait for its writer.
	info, err := os.Stat(path)
	if err != nil {
		return Secret{}, reason(err)
	}
	if !info.Mode().IsRegular() {
		return Secret{}, "no regular file"
	}
	file, err := os.Open(path)
	if err != nil {
		return Secret{}, reason(err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxSecret+1))
	if err != nil {
		return Secret{}, reason(err)
	}
	value := strings.TrimRight(string(data), "\r\n")
	switch {
	case len(data) > maxSecret:
		return Secret{}, "larger than 64 KiB"
	case value == "":
		return Secret{}, "empty"
	case strings.ContainsFunc(value, unicode.IsControl) && !severalLines(value):
		return Secret{}, "more than one line of text"
	}
	return newSecret(value, path), ""
}

// openToAll reports whether everybody on this machine can read or change a file,
// and its mode: the file lets them, and so does every folder on the way to it.
func openToAll(path string) (mode fs.FileMode, open bool) {
	path, err := filepath.Abs(path)
	if err == nil {
		path, err = filepath.EvalSymlinks(path) // as a mounted secret is one
	}
	if err != nil || runtime.GOOS == "windows" { // which has no such modes
		return 0, false
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode()&0o006 == 0 {
		return 0, false
	}
	mode = info.Mode().Perm()
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if info, err = os.Stat(dir); err != nil || info.Mode()&0o001 == 0 {
			return mode, false
		}
		if dir == filepath.Dir(dir) {
			return mode, true
		}
	}
}

// reason is the error without operation and path.
func reason(err error) string {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return oneLine(err.Error())
}

// severalLines reports whether a secret file may have more lines than one: keys
// and certificates do.
func severalLines(text string) bool { return strings.HasPrefix(text, "-----BEGIN ") }
