package bot_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"shopwatch/notifier/sandbox"
)

// waiting takes what readers did in the sandbox, each without its number.
func waiting(t *testing.T, s *sandbox.Sandbox) []string {
	t.Helper()
	ask := func(offset int64) (result []map[string]json.RawMessage) {
		form := url.Values{"timeout": {"0"}, "offset": {fmt.Sprint(offset)}}
		response, err := http.PostForm(s.TelegramURL()+"/bot"+s.Credentials().TelegramToken+"/getUpdates", form)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var answer struct{ Result []map[string]json.RawMessage }
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}
		return answer.Result
	}
	var parts []string
	for _, update := range ask(0) {
		var id int64
		_ = json.Unmarshal(update["update_id"], &id)
		for name, part := range update {
			if name != "update_id" {
				parts = append(parts, fmt.Sprintf("%q:%s", name, part))
			}
		}
		ask(id + 1) // confirms it
	}
	return parts
}
