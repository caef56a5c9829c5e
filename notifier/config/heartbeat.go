package config

import (
	"net/url"
	"time"

	"shopwatch/internal/configfile"
)

// What management hears of trouble that ops have acknowledged.
const (
	tellManagement = "tell"
	holdManagement = "hold"
)

// acknowledged reports whether management is held back.
func (b builder) acknowledged(path string, fields acknowledgedFields) bool {
	if fields.Management != tellManagement && fields.Management != holdManagement {
		b.add(path, "management", fields.Management, tellManagement+" (they still hear of it, and who has it in hand) or "+holdManagement+" (they don't)")
	}
	return fields.Management == holdManagement
}

// The least time between two heartbeats: nobody who takes them wants more.
const leastInterval = 10 * time.Second

func (b builder) heartbeat(path string, fields *heartbeatFields) *HeartbeatConfig {
	if fields == nil {
		return nil
	}
	address, err := url.Parse(fields.URL.Reveal())
	switch { // whatever it is, it may hold a password
	case !fields.URL.IsSet():
		b.add(path, "url", nil, "the address that healthchecks.io or Uptime Kuma gives you, or its file in url_file")
	case err != nil, address.Scheme != "http" && address.Scheme != "https", address.Hostname() == "":
		b.add(path, "url", configfile.Phrase("no web address"), "http://… or https://… with a host")
	case address.User != nil || address.Fragment != "":
		b.add(path, "url", configfile.Phrase("an address with a login or #"), "one without")
	}
	if fields.Method != "GET" && fields.Method != "POST" {
		b.add(path, "method", fields.Method, "GET or POST")
	}
	if fields.Interval < leastInterval || fields.Interval > time.Hour {
		b.add(path, "interval", fields.Interval, "10s to 1h")
	}
	if fields.Timeout <= 0 || fields.Timeout >= fields.Interval {
		b.add(path, "timeout", fields.Timeout, "more than 0 and less than the interval")
	}
	return &HeartbeatConfig{URL: fields.URL, Method: fields.Method, Interval: fields.Interval, Timeout: fields.Timeout}
}
