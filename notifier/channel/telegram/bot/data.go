package bot

import (
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"shopwatch/notifier"
)

// verb is what a button asks for.
type verb string

// The verbs. Those of an incident stand under notices too, where other rooms put
// them: they are "ack:<incident>" and "mute:<incident>".
const (
	verbAck      verb = "ack"
	verbMute     verb = "mute"
	verbWho      verb = "who" // has it in hand, or until when it is silent
	verbMenu     verb = "menu"
	verbServices verb = "services" // the page of services to choose from
	verbService  verb = "service"  // chooses one: its hash, or "all"
	verbSeverity verb = "severity"
	verbQuiet    verb = "quiet"
	verbLanguage verb = "lang"
	verbLeave    verb = "leave"
)

// press is a button's data, understood.
type press struct {
	verb verb
	arg  string
	page int
}

// maxPage bounds a page's number.
const maxPage = 999

var (
	incidentShape = regexp.MustCompile(`^[A-Za-z0-9_-]{1,40}$`)
	hashShape     = regexp.MustCompile(`^[A-Za-z0-9_-]{6}$`)
)

// parsePress understands a button's data. Anybody can send any.
func parsePress(data string) (press, bool) {
	name, arg, _ := strings.Cut(data, ":")
	p := press{verb: verb(name), arg: arg}
	switch p.verb {
	case verbAck, verbMute, verbWho:
		return p, incidentShape.MatchString(arg)
	case verbMenu, verbLeave:
		return p, arg == ""
	case verbServices:
		p.arg = ""
		page, ok := pageOf(arg)
		p.page = page
		return p, ok
	case verbService:
		number, hash, _ := strings.Cut(arg, ":")
		page, ok := pageOf(number)
		p.page, p.arg = page, hash
		return p, ok && (hash == all || hashShape.MatchString(hash))
	case verbSeverity:
		_, known := severities[arg]
		return p, known || arg == ""
	case verbQuiet:
		_, ok := parseQuiet(arg)
		return p, ok || arg == ""
	case verbLanguage:
		return p, arg == "" || arg == string(notifier.Chinese) || arg == string(notifier.English)
	}
	return press{}, false
}

// data is the press as a button's data.
func (p press) data() string {
	switch p.verb {
	case verbMenu, verbLeave:
		return string(p.verb)
	case verbServices:
		return string(p.verb) + ":" + strconv.Itoa(p.page)
	case verbService:
		return string(p.verb) + ":" + strconv.Itoa(p.page) + ":" + p.arg
	}
	return string(p.verb) + ":" + p.arg
}

func pageOf(text string) (int, bool) {
	page, err := strconv.Atoi(text)
	return page, err == nil && page >= 0 && page <= maxPage
}

// all stands for every service, in a button's data.
const all = "all"

// severities are the least impact of what is told, by a button's data.
var severities = map[string]notifier.Impact{
	all: "", "major": notifier.ImpactMajor,
}

// hash stands for a service's key where there is no room for it: six letters
// that say nothing to whoever doesn't know the services.
func hash(key string) string {
	sum := sha256.Sum256([]byte("service " + key))
	return base64.RawURLEncoding.EncodeToString(sum[:])[:6]
}

// maxPayload is how long the payload of a link to the bot may be:
// core.telegram.org/bots/features#deep-linking.
const maxPayload = 64

// payload stands for services in a link to the bot: the hashes of their keys. Of
// none, or of more than it has room for, it is "all".
func payload(keys []string) string {
	var text strings.Builder
	for _, key := range keys {
		text.WriteString(hash(key))
	}
	if text.Len() == 0 || text.Len() > maxPayload {
		return all
	}
	return text.String()
}

// readPayload gives the keys of those services that a payload stands for; what
// it doesn't know is left out, and none is all.
func readPayload(text string, services []notifier.Service) []string {
	if len(text) > maxPayload || len(text)%6 != 0 {
		return nil
	}
	var keys []string
	for one := range slices.Chunk([]byte(text), 6) {
		for _, s := range services {
			if hash(s.Key()) == string(one) && !slices.Contains(keys, s.Key()) {
				keys = append(keys, s.Key())
			}
		}
	}
	return keys
}
