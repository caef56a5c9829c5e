package push

import "encoding/json"

// Remembered is what the state file would hold.
func (r *Receiver) Remembered() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	text, err := json.Marshal(r.remember())
	if err != nil {
		return err.Error()
	}
	return string(text)
}
