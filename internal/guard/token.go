package guard

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// TokenFile reads the token at path; where there is none it makes one of 192
// random bits, readable by this user alone. It is how the command line and the
// running process come to share a secret that nobody typed.
func TokenFile(path string) (string, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeToken(path)
	}
	if err != nil {
		return "", fmt.Errorf("token file: %w", err)
	}
	token := strings.TrimSpace(string(content))
	if token == "" {
		return "", fmt.Errorf("token file %q is empty: remove it to have a new one made", path)
	}
	return token, nil
}

func makeToken(path string) (string, error) {
	token := base64.RawURLEncoding.EncodeToString(randomBytes(24))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("token file: %w", err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", fmt.Errorf("token file: %w", err)
	}
	if _, err := file.WriteString(token + "\n"); err != nil {
		file.Close()
		return "", fmt.Errorf("token file: %w", err)
	}
	return token, file.Close()
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails: crypto/rand ends the process instead
	return b
}
