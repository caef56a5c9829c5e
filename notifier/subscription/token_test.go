package subscription

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func testSigner(t interface{ Fatal(...any) }, fill string) signer {
	s, err := newSigner(bytes.Repeat([]byte(fill), 32))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNoTokenWorksForAnotherPersonPurposeNonceOrKey(t *testing.T) {
	t.Parallel()
	ours, theirs := testSigner(t, "a"), testSigner(t, "b")
	purposes := rapid.SampledFrom([]purpose{toLeave, toManage, toConfirm, toCode, toSubmit})
	now := time.Unix(1_800_000_000, 0)
	rapid.Check(t, func(t *rapid.T) {
		p, id := purposes.Draw(t, "purpose"), rapid.Int64Range(1, 1<<40).Draw(t, "id")
		nonce := rapid.String().Draw(t, "nonce")
		until := time.Time{}
		if rapid.Bool().Draw(t, "ends") {
			until = now.Add(time.Duration(rapid.Int64Range(-1e6, 1e6).Draw(t, "seconds")) * time.Second)
		}
		token := ours.mint(p, id, until, nonce)
		c, ok := parse(token)
		if !ok || c.id != id {
			t.Fatalf("%q was read as %+v, %v", token, c, ok)
		}
		alive := until.IsZero() || now.Before(c.until)
		if ours.good(c, p, nonce, now) != alive {
			t.Fatalf("good is %v, alive %v", !alive, alive)
		}
		if !until.IsZero() && (c.until.Before(until) || c.until.After(until.Add(time.Minute))) {
			t.Fatalf("ends %s, want %s", c.until, until)
		}
		other := purposes.Filter(func(o purpose) bool { return o != p }).Draw(t, "other purpose")
		otherNonce := rapid.String().Filter(func(n string) bool { return n != nonce }).Draw(t, "other nonce")
		if ours.good(c, other, nonce, now) || ours.good(c, p, otherNonce, now) || theirs.good(c, p, nonce, now) {
			t.Fatal("it works for another purpose, nonce or key")
		}
		forged := c
		forged.raw[rapid.IntRange(0, tokenBytes-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if ours.good(forged, p, nonce, now) {
			t.Fatal("it works after a bit was changed")
		}
	})
}

func TestAnEnvelopeShowsNothingAndEnds(t *testing.T) {
	t.Parallel()
	s := testSigner(t, "a")
	now := time.Unix(1_800_000_000, 0)
	e := s.envelope(SMS, "+8613800138000", now.Add(time.Minute))
	if channel, address, ok := s.opened(e, now); !ok || channel != SMS || address != "+8613800138000" {
		t.Errorf("opened as %q, %q, %v", channel, address, ok)
	}
	if _, _, ok := s.opened(e, now.Add(time.Minute)); ok || strings.Contains(e, "138") && len(e) < 40 {
		t.Error("it opens after its end")
	}
	if _, _, ok := testSigner(t, "b").opened(e, now); ok {
		t.Error("it opens with another key")
	}
}

func FuzzTokens(f *testing.F) {
	s, err := newSigner(bytes.Repeat([]byte("a"), 32))
	if err != nil {
		f.Fatal(err)
	}
	now := time.Unix(1_800_000_000, 0)
	f.Add(s.mint(toManage, 7, now, ""))
	f.Add(s.stamp(now))
	f.Add(s.envelope(Email, "a@b.example", now.Add(time.Hour)))
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if c, ok := parse(text); ok {
			for _, p := range []purpose{toLeave, toManage, toConfirm} {
				if s.good(c, p, "", now) && s.mint(p, c.id, c.until, "") != text {
					t.Errorf("%q is good, and not the spelling that we give", text)
				}
			}
		}
		if at, ok := s.stamped(text); ok && s.stamp(at) != text {
			t.Errorf("stamp %q is good, and not the spelling that we give", text)
		}
		s.opened(text, now)
	})
}
