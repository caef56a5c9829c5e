package app_test

import (
	"testing"

	"shopwatch/notifier/app"
)

func TestAGroupsPaceGoesByTheChatAndNotByItsTopic(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"-1001234567890":    "-1001234567890",
		"-1001234567890:45": "-1001234567890",
		"@Star_Cards:7":     "@star_cards",
		"@star_cards":       "@star_cards",
		"100":               "100",
	} {
		if id, group := app.Chat(address); id != want || group != (want != "100") {
			t.Errorf("%s leads to %s, group: %v; want %s", address, id, group, want)
		}
	}
}
