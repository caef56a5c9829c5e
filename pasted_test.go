package main

import (
	"os/exec"
	"strings"
	"testing"
)

func TestAShellReadsWhatIsPastedAsItWasMeant(t *testing.T) {
	t.Parallel()
	f := flags{dataDir: "my data/it's $HOME", webConfig: "web.yml"}
	said := f.pasted("127.0.0.1:19816", "demo", "break", "alipay")
	_, words, _ := strings.Cut(said, " demo ")
	out, err := exec.Command("sh", "-c", `printf '%s\n' `+words).Output()
	const want = "break\nalipay\n--data.dir=my data/it's $HOME\n--private.listen-address=127.0.0.1:19816\n--web.config.file=web.yml\n"
	if err != nil || string(out) != want {
		t.Errorf("a shell reads %q (%v), want %q", out, err, want)
	}
	if plain := (flags{dataDir: "data"}).pasted("127.0.0.1:9816", "demo", "heal", "sms"); !strings.HasSuffix(plain, " demo heal sms") {
		t.Errorf("with no flags it is %q", plain)
	}
}
