package subscription_test

import (
	"strings"
	"testing"
	"unicode"

	"shopwatch/notifier"
	"shopwatch/notifier/subscription"
)

func TestMailIsTakenAsPeopleTypeIt(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		" name@example.com\n": "name@example.com", "Name.Sur+tag@EXAMPLE.com": "Name.Sur+tag@example.com", "mailto:a@b.cn": "a@b.cn",
		"１２３＠ｑｑ．ｃｏｍ": "123@qq.com", "a@ｑｑ。com": "a@qq.com", "a@小店.中国": "a@xn--yetu2d.xn--fiqs8s", "o'neil@b.example": "o'neil@b.example",

		"": "", "a": "", "a@": "", "@b.cn": "", "a@b": "", "a@localhost": "", "a@127.0.0.1": "", "a@[127.0.0.1]": "", "a@b.cn, c@d.cn": "",
		"a b@c.cn": "", `"a b"@c.cn`: "", "A <a@b.cn>": "", "a@b.cn\r\nBcc: x@y.cn": "", "a\x00@b.cn": "", "a@b\u200b.cn": "", "a..b@c.cn": "", ".a@c.cn": "",
		"a@-b.cn": "", "a@b_c.cn": "", "a@b.123": "", "爱丽丝@b.cn": "", "a@b@c.cn": "", strings.Repeat("a", 65) + "@b.cn": "", "a@" + strings.Repeat("b.", 130) + "cn": "",
	} {
		if got, ok := subscription.ParseMail(typed); ok != (want != "") || ok && got != want {
			t.Errorf("%q was read as %q, %v; want %q", typed, got, ok, want)
		}
	}
}

func TestPhonesAreTakenAsPeopleTypeThem(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"13800138000": "+8613800138000", " 138-0013 8000 ": "+8613800138000", "+86 138 0013 8000": "+8613800138000", "0086(138)00138000": "+8613800138000", "１３８００１３８０００": "+8613800138000",
		"+852 6123 4567": "+85261234567",

		"": "", "1380013800": "", "138001380001": "", "12800138000": "", "010-12345678": "", "+14155550123": "", "+86": "", "13800138000;ext=1": "", "+8613800138000,+8613800138001": "", "１３８00138000x": "",
	} {
		if got, ok := subscription.ParsePhone(typed, []string{"+86", "+852"}); ok != (want != "") || ok && got != want {
			t.Errorf("%q was read as %q, %v; want %q", typed, got, ok, want)
		}
	}
}

func TestMasksShowAnOwnerEnoughAndNobodyElse(t *testing.T) {
	t.Parallel()
	for _, test := range [][3]string{
		{"email", "mary@qq.com", "m…@q….com"}, {"email", "a@b.c.cn", "a…@b….cn"}, {"sms", "+8613800138000", "+86138****8000"}, {"sms", "+1415555", "****"},
		{"telegram", "-1001234567890", "…7890"}, {"telegram", "12345", "…"}, {"email", "", "…@…"},
	} {
		if got := subscription.Mask(test[0], test[1]); got != test[2] {
			t.Errorf("%s %q is masked as %q, want %q", test[0], test[1], got, test[2])
		}
	}
}

func FuzzAddresses(f *testing.F) {
	for _, seed := range []string{"a@b.cn", "１２３＠ｑｑ．ｃｏｍ", "13800138000", "0086 138-0013-8000", "a@小店.中国", "x@y\r\nz"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		if mail, ok := subscription.ParseMail(typed); ok {
			if again, ok := subscription.ParseMail(mail); !ok || again != mail {
				t.Errorf("%q became %q and then %q, %v", typed, mail, again, ok)
			}
			if strings.ContainsFunc(mail, func(r rune) bool { return r > unicode.MaxASCII || r <= ' ' || r == 0x7f }) || len(mail) > 254 {
				t.Errorf("%q became %q", typed, mail)
			}
		}
		if phone, ok := subscription.ParsePhone(typed, []string{"+86"}); ok {
			if again, ok := subscription.ParsePhone(phone, []string{"+86"}); !ok || again != phone || !notifier.PhoneNumber(phone) {
				t.Errorf("%q became %q and then %q, %v", typed, phone, again, ok)
			}
		}
	})
}
