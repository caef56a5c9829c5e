package main

import (
	"context"
	"fmt"
	"io"

	"github.com/alecthomas/kingpin/v2"

	notifierapp "shopwatch/notifier/app"
	notifierconfig "shopwatch/notifier/config"
)

// backupCommand is the command that copies the notifier's database. It opens the
// file itself: it asks for no token and works whether a notifier runs or not.
func backupCommand(ctx context.Context, f *flags, app *kingpin.Application, command func(*kingpin.CmdClause, func() error) *kingpin.CmdClause, stdout io.Writer) {
	var file string
	cmd := command(app.Command("backup", "Copy the notifier's database, running or not, without the contact key."), func() error {
		return backup(ctx, *f, file, stdout)
	})
	cmd.Arg("file", "The copy, a file that is new.").Required().StringVar(&file)
}

func backup(ctx context.Context, f flags, file string, stdout io.Writer) error {
	var cfg notifierconfig.Config
	if f.configFile != "" { // without one, it is where it is by default
		doc, err := read(f)
		if err != nil {
			return err
		}
		if err := load(doc, into(&cfg, notifierconfig.Load)); err != nil {
			return err
		}
	}
	if err := notifierapp.Backup(ctx, cfg.Store, f.dataDir, file); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s is a checked copy; no address in it can be read without the contact key, so keep %s too, in another place\n",
		file, notifierapp.KeyFile(cfg.Store, f.dataDir))
	return nil
}
