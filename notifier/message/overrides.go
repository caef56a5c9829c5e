package message

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/template"
)

// maxFile is the most bytes of a file that replaces ours.
const maxFile = 256 << 10

// readOverrides reads the files of a folder that replace ours, by name. Hidden
// files are left alone: that is how Kubernetes mounts a ConfigMap.
func readOverrides(dir string) (map[string]string, []error) {
	if dir == "" {
		return nil, nil
	}
	overrides := os.DirFS(dir)
	entries, err := fs.ReadDir(overrides, ".")
	if err != nil {
		return nil, []error{err}
	}
	ours, err := fs.ReadDir(Files(), ".")
	if err != nil {
		return nil, []error{err}
	}
	var names []string
	for _, entry := range ours {
		names = append(names, entry.Name())
	}
	given := map[string]string{}
	var problems []error
	for _, entry := range entries {
		name := entry.Name()
		switch {
		case strings.HasPrefix(name, "."):
		case !slices.Contains(names, name):
			problems = append(problems, fmt.Errorf("%s: got a file that replaces none of ours, want one of %s", name, strings.Join(names, ", ")))
		default:
			content, err := readFile(overrides, name)
			if err != nil {
				problems = append(problems, err)
				continue
			}
			given[name] = content
		}
	}
	return given, problems
}

func readFile(files fs.FS, name string) (string, error) {
	info, err := fs.Stat(files, name) // before opening: to open a pipe is to wait for its writer
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, errors.Unwrap(err))
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s: got no regular file, want a template", name)
	}
	file, err := files.Open(name)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, errors.Unwrap(err))
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	if len(content) > maxFile {
		return "", fmt.Errorf("%s: got a file of more than %d bytes, want fewer", name, maxFile)
	}
	return string(content), nil
}

// strayBlocks reports blocks of an override that nothing would ever print.
func strayBlocks(ours, alone *template.Template, name string) error {
	var bodies strings.Builder
	for _, t := range alone.Templates() {
		if t.Tree != nil {
			bodies.WriteString(t.Root.String())
		}
	}
	var problems []error
	for _, t := range slices.SortedFunc(slices.Values(alone.Templates()), func(a, b *template.Template) int { return cmp.Compare(a.Name(), b.Name()) }) {
		used := strings.Contains(bodies.String(), "{{template "+strconv.Quote(t.Name()))
		if t.Name() != name && ours.Lookup(t.Name()) == nil && !used {
			problems = append(problems, fmt.Errorf("%s: got a block %q, want one of %s, or one that another block uses", name, t.Name(), strings.Join(blockNames(ours, name), ", ")))
		}
	}
	return errors.Join(problems...)
}

func blockNames(t *template.Template, file string) []string {
	names := map[string]bool{}
	for _, b := range t.Templates() {
		names[b.Name()] = b.Name() != file
	}
	maps.DeleteFunc(names, func(_ string, block bool) bool { return !block })
	return slices.Sorted(maps.Keys(names))
}
