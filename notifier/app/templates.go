package app

import (
	"io/fs"

	"shopwatch/notifier/config"
	"shopwatch/notifier/message"
)

// newWriter gives what words every notice.
func (d *desk) newWriter() (*message.Writer, error) {
	page := d.cfg.Notifier.Page
	return message.New(message.Config{
		Page: page.Title, Zone: page.Zone, Links: d.subscription.Links(), Templates: d.cfg.Notifier.Templates, Logger: d.cfg.Logger,
	})
}

// Check says what is wrong with the templates that the configuration names. It
// connects to nothing. Each mistake begins with its file.
func Check(cfg config.Config) error {
	if cfg.Templates == "" {
		return nil
	}
	return message.Check(cfg.Templates)
}

// Templates are the words and forms of notices that a folder of
// notifier.templates.dir can replace, by the names that they have there.
func Templates() fs.FS { return message.Files() }
