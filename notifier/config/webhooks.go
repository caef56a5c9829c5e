package config

import (
	"regexp"
	"slices"

	"shopwatch/internal/configfile"
)

// OutgoingConfig is an address that notices are posted to: our own signed JSON,
// or the robot of a group.
type OutgoingConfig struct {
	Name   string            // by which people of an audience name it
	Kind   string            // Webhook, DingTalk, WeCom or Feishu
	URL    configfile.Secret // it holds the robot's token
	Secret configfile.Secret // signs; not set: nothing is signed
}

type outgoingFields struct {
	Name        string
	Kind        string
	URL, Secret configfile.Secret
}

// SetDefaults is called before the file's values.
func (f *outgoingFields) SetDefaults() { f.Kind = Webhook }

var (
	webhookName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)
	webhookKinds = []string{Webhook, DingTalk, WeCom, Feishu}
)

func (b builder) webhooks(path string, list []outgoingFields) []OutgoingConfig {
	var made []OutgoingConfig
	for i, fields := range list {
		at := configfile.Item(path, i)
		switch first := slices.IndexFunc(list, func(f outgoingFields) bool { return f.Name == fields.Name }); {
		case !webhookName.MatchString(fields.Name):
			b.add(at, "name", fields.Name, "1 to 64 letters, digits, - and _, such as ops-group")
		case first < i:
			b.add(at, "name", fields.Name, "a name that no other webhook has")
		}
		if !slices.Contains(webhookKinds, fields.Kind) {
			b.add(at, "kind", fields.Kind, "one of "+joined(webhookKinds))
		}
		if got, want := secretURL(fields.URL, true); want != "" {
			b.add(at, "url", got, want)
		}
		switch {
		case fields.Kind == Webhook && !fields.Secret.IsSet():
			b.add(at, "secret", fields.Secret, "the secret that signs, or its file in secret_file: the receiver must tell us from others")
		case fields.Kind == WeCom && fields.Secret.IsSet():
			b.add(at, "secret", configfile.Phrase("a secret"), "none: WeCom's robots take no signature")
		}
		made = append(made, OutgoingConfig(fields))
	}
	return made
}
