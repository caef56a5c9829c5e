package config

import (
	"os"

	"shopwatch/internal/configfile"
)

// templatesFields say where an owner's own words of notices are.
type templatesFields struct {
	Dir configfile.Path
}

// templateFolder checks that the folder is there. What is in it is checked by
// the room that executes it.
func (b builder) templateFolder(path string, fields templatesFields) string {
	dir := string(fields.Dir)
	if dir == "" {
		return ""
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		b.add(path, "dir", dir, "a folder of templates, as `shopwatch templates` writes them")
		return ""
	}
	return dir
}
