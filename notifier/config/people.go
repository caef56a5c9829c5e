package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"shopwatch/internal/configfile"
	"shopwatch/notifier"
	"shopwatch/rules"
)

// audiences can be named in the file. The deadman's switch goes to ops.
var audiences = []rules.Audience{rules.Ops, rules.Management, rules.Subscribers}

var (
	// chatForm matches a chat's number or a public channel's @name, each with an optional topic.
	chatForm = regexp.MustCompile(`^(-?[1-9][0-9]{0,18}|@[A-Za-z][A-Za-z0-9_]{3,31})(:[1-9][0-9]{0,9})?$`)
)

// audiences makes recipients of the section's people.
func (b builder) audiences(path string, section sectionFields) map[rules.Audience][]notifier.Recipient {
	told := make(map[rules.Audience][]notifier.Recipient)
	for _, name := range slices.Sorted(maps.Keys(section.Audiences)) {
		audience := rules.Audience(name)
		at := configfile.Field(path, name)
		if !slices.Contains(audiences, audience) {
			b.problems.Add(at, configfile.Phrase("an unknown audience"), "one of "+joined(audiences))
			continue
		}
		seen := make(map[[2]string]bool)
		for i, person := range section.Audiences[name] {
			recipient := b.person(configfile.Item(at, i), person, section)
			who := [2]string{recipient.Channel, recipient.Address}
			if recipient.Address != "" && seen[who] {
				b.problems.Add(configfile.Item(at, i), configfile.Phrase("the same person a second time"), "each once")
			}
			seen[who] = true
			recipient.Audience = audience
			told[audience] = append(told[audience], recipient)
		}
	}
	return told
}

// person makes one recipient. Addresses are personal data and stand in no mistake.
func (b builder) person(path string, fields personFields, section sectionFields) notifier.Recipient {
	recipient := notifier.Recipient{Language: fields.Language, State: notifier.Active}
	if fields.Language != notifier.Chinese && fields.Language != notifier.English {
		b.add(path, "language", fields.Language, "zh or en")
	}
	given := 0
	for _, way := range []struct {
		channel, address, got, want string
		valid, configured           bool
	}{
		{Telegram, fields.Telegram, "no chat", `a chat's number such as "-1001234567890", or @channel`,
			chatForm.MatchString(fields.Telegram), section.Telegram != nil},
		{Email, fields.Email, "no mail address", "one such as ops@example.com",
			sendable(fields.Email), section.Email != nil},
		{SMS, fields.SMS, "no phone number", `one with its country such as "+8613800138000"`,
			notifier.PhoneNumber(fields.SMS), section.SMS != nil},
	} {
		if way.address == "" {
			continue
		}
		given++
		recipient.Channel, recipient.Address = way.channel, way.address
		if !way.valid {
			b.add(path, way.channel, configfile.Phrase(way.got), way.want)
		}
		if !way.configured {
			b.add(path, way.channel, configfile.Phrase("a channel that is not configured"), "notifier."+way.channel+" in this file")
		}
	}
	if fields.Webhook != "" {
		given++
		recipient.Address = fields.Webhook
		i := slices.IndexFunc(section.Webhooks, func(w outgoingFields) bool { return w.Name == fields.Webhook })
		if i < 0 {
			b.add(path, Webhook, configfile.Phrase("no name of notifier.webhooks"), "one of them")
		} else {
			recipient.Channel = section.Webhooks[i].Kind
		}
	}
	if section.SMS != nil && notifier.PhoneNumber(fields.SMS) {
		b.allowed(path, fields.SMS, section.SMS.AllowedPrefixes)
	}
	if given != 1 {
		got := "none of telegram, email, sms, webhook"
		if given > 1 {
			got = "several of telegram, email, sms, webhook"
		}
		b.problems.Add(path, configfile.Phrase(got), "exactly one")
	}
	return recipient
}

// allowed reports a number that would never be sent to.
func (b builder) allowed(path, number string, prefixes []string) {
	for _, prefix := range prefixes {
		if !prefixForm.MatchString(prefix) || strings.HasPrefix(number, prefix) { // a mistake there is told there
			return
		}
	}
	b.add(path, SMS, configfile.Phrase("a number of another country"),
		"one that begins with "+strings.Join(prefixes, " or ")+", or its beginning in notifier.sms.allowed_prefixes")
}

// sendable reports whether the text is a bare mail address.
func sendable(address string) bool {
	_, ok := notifier.MailAddress(address)
	return ok
}

func joined[T ~string](values []T) string {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = string(value)
	}
	return strings.Join(texts, ", ")
}
