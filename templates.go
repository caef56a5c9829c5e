package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/alecthomas/kingpin/v2"

	notifierapp "shopwatch/notifier/app"
)

// templatesFlags are those of the command that hands out the words of notices.
type templatesFlags struct{ out string }

func (t *templatesFlags) commands(app *kingpin.Application, command func(*kingpin.CmdClause, func() error) *kingpin.CmdClause, stdout io.Writer) {
	cmd := command(app.Command("templates", "Print the words and forms of notices, or write them as files to change; notifier.templates.dir takes those that you keep."), func() error {
		if t.out == "" {
			return printFiles(notifierapp.Templates(), stdout)
		}
		return writeMissing(notifierapp.Templates(), t.out, stdout)
	})
	cmd.Flag("out", "Folder to write to; files that are there stay as they are.").StringVar(&t.out)
}

// printFiles prints every file under its name.
func printFiles(files fs.FS, stdout io.Writer) error {
	return fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, path)
		if err == nil {
			_, err = fmt.Fprintf(stdout, "==> %s\n%s\n", path, content)
		}
		return err
	})
}

// writeMissing copies files into a folder but those that are there: somebody may
// have changed them.
func writeMissing(files fs.FS, dir string, stdout io.Writer) error {
	return fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		to := filepath.Join(dir, filepath.FromSlash(path))
		if err != nil || entry.IsDir() {
			return errors.Join(err, os.MkdirAll(to, 0o755))
		}
		content, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		switch _, err := os.Lstat(to); {
		case errors.Is(err, fs.ErrNotExist):
			return writeFile(to, content, stdout)
		case err != nil:
			return err
		}
		_, err = fmt.Fprintf(stdout, "%s is there already\n", to)
		return err
	})
}
