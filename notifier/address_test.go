package notifier_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"shopwatch/notifier"
)

func TestAMailAddressIsReadIntoOneForm(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"ops@shop.example":    "ops@shop.example",
		"Ops@Shop.EXAMPLE":    "Ops@shop.example",
		"ops@小店.example":      "ops@xn--yetu2d.example",
		"ops@xn--yetu2d.test": "ops@xn--yetu2d.test",
		"爱丽丝@shop.example":    "爱丽丝@shop.example",
		"o.p+s@localhost":     "o.p+s@localhost",

		"":                               "",
		"ops":                            "",
		"@shop.example":                  "",
		"ops@":                           "",
		"a@b@shop.example":               "",
		"Ops <ops@shop.example>":         "",
		"ops@shop.example, b@x.example":  "",
		"ops@shop.example\r\nBcc: a@b.c": "",
		"o ps@shop.example":              "",
		"o\u3000ps@shop.example":         "",
		"o\u200bps@shop.example":         "",
		`"o ps"@shop.example`:            "",
		"ops@-shop.example":              "",
		"ops@[127.0.0.1]":                "",
		strings.Repeat("a", 250) + "@shop.example": "",
	} {
		got, ok := notifier.MailAddress(text)
		if got != want || ok != (want != "") {
			t.Errorf("%q was read as %q, %v; want %q", text, got, ok, want)
		}
	}
}

func TestReadingAMailAddressTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-zA-Z0-9.+_爱é-]{1,8}@[a-zA-Z0-9店ß.-]{1,12}`)).Draw(t, "text")
		once, ok := notifier.MailAddress(text)
		if !ok {
			return
		}
		if twice, ok := notifier.MailAddress(once); !ok || twice != once {
			t.Fatalf("%q became %q and then %q, %v", text, once, twice, ok)
		}
	})
}

func TestAPhoneNumberHasItsCountry(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"+8613800138000": true, "+14155550100": true, "13800138000": false, "+86": false, "+0613800138000": false,
		"+86138001380001234567": false, "+86 13800138000": false, "+8613800138000,+1": false, "": false,
	} {
		if got := notifier.PhoneNumber(text); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}
