package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// End ends the silences with a comment, of every Alertmanager: those that keep
// still now, and those that are to. That there is none is no error.
func (s *Silencer) End(ctx context.Context, comment string) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var problems []error
	for _, server := range s.servers {
		var list []struct {
			ID      string `json:"id"`
			Comment string `json:"comment"`
			Status  struct {
				State string `json:"state"` // expired, active or pending
			} `json:"status"`
		}
		if err := get(ctx, server, "/api/v2/silences", &list); err != nil {
			problems = append(problems, err)
			continue
		}
		for _, silence := range list {
			if silence.Comment == comment && silence.Status.State != "expired" {
				problems = append(problems, expire(ctx, server, silence.ID))
			}
		}
	}
	return errors.Join(problems...)
}

// expire ends one silence. One that a peer has ended meanwhile is ended.
func expire(ctx context.Context, server Alertmanager, id string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodDelete, strings.TrimSuffix(server.URL, "/")+"/api/v2/silence/"+url.PathEscape(id), nil)
	if err != nil {
		return fmt.Errorf("alertmanager: %w", err)
	}
	response, err := server.Client.Do(r)
	if err != nil {
		return fmt.Errorf("alertmanager: %w", err)
	}
	defer response.Body.Close()
	io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer))
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusNotFound {
		return fmt.Errorf("alertmanager: %s answered %s", r.URL.Redacted(), response.Status)
	}
	return nil
}
