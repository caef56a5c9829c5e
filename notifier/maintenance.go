package notifier

import (
	"time"

	"shopwatch/rules"
)

// MaintenanceStatus is where planned work stands, in Statuspage's words.
type MaintenanceStatus string

// The statuses of a maintenance. Cancelled is ours: Statuspage deletes it.
const (
	Scheduled  MaintenanceStatus = "scheduled"
	InProgress MaintenanceStatus = "in_progress"
	Verifying  MaintenanceStatus = "verifying" // the work is done, and looked at
	Completed  MaintenanceStatus = "completed"
	Cancelled  MaintenanceStatus = "cancelled"
)

// Window is a stretch of time; the zero value is none.
type Window struct {
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
}

// Maintenance is planned work: people are told of it before, it begins and ends
// by itself when its time comes, and meanwhile its services page nobody where an Alertmanager can be silenced.
type Maintenance struct {
	ID    string     `json:"id"`    // opaque, stable, safe in a URL
	Title rules.Text `json:"title"` // "Moving the database"
	Text  rules.Text `json:"text,omitzero"`
	// Services are the keys of what is worked on: "main/alipay", or "main" for a
	// whole shop. At least one.
	Services []string            `json:"services"`
	Window   Window              `json:"window"` // as planned now
	Status   MaintenanceStatus   `json:"status"`
	Created  time.Time           `json:"created"`
	Began    time.Time           `json:"began,omitzero"`
	Ended    time.Time           `json:"ended,omitzero"`    // completed or cancelled
	Reminded time.Time           `json:"reminded,omitzero"` // when people were told that it is near; zero: not
	Overrun  time.Time           `json:"overrun,omitzero"`  // when people were told that it takes longer than planned; zero: not
	Silenced time.Time           `json:"silenced,omitzero"` // until when Alertmanager keeps still about the services; zero: it doesn't
	Updates  []MaintenanceUpdate `json:"updates,omitempty"` // oldest first
	Acts     []Act               `json:"acts,omitempty"`    // all that people did to it, oldest first
}

// MaintenanceUpdate is one entry of a maintenance's timeline.
type MaintenanceUpdate struct {
	At     time.Time         `json:"at"`
	Status MaintenanceStatus `json:"status"`
	Text   rules.Text        `json:"text,omitzero"`
	Window Window            `json:"window,omitzero"` // where the plan changed
	By     string            `json:"by,omitempty"`    // never shown to the public
}

// Ahead reports whether the work has not ended: it is planned, or goes on.
func (m Maintenance) Ahead() bool { return m.Ended.IsZero() }

// Working reports whether the work goes on now.
func (m Maintenance) Working() bool { return m.Status == InProgress || m.Status == Verifying }

// Covers reports whether a service is worked on.
func (m Maintenance) Covers(s Service) bool {
	for _, key := range m.Services {
		if key == s.Key() || key == s.Shop {
			return true
		}
	}
	return false
}

// Planned is what a notice tells of planned work.
type Planned struct {
	Services []rules.Text      `json:"services"` // the names of what is worked on
	Keys     []string          `json:"keys"`     // of the services; empty: everybody hears of it
	Status   MaintenanceStatus `json:"status,omitempty"`
	Window   Window            `json:"window"`
	Before   Window            `json:"before,omitzero"` // the plan that people were told before, where it changed
	Quiet    bool              `json:"quiet,omitempty"` // while the work lasts, alerts of what is worked on are told to nobody
}

// The deeds that people do to planned work.
const (
	DeedSchedule Deed = "schedule" // plan it
	DeedBegin    Deed = "begin"    // before its time
	DeedComplete Deed = "complete" // before its time, or after it
	DeedCancel   Deed = "cancel"
)
