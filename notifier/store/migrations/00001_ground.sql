-- +goose Up

-- One row an incident; body is the whole incident as JSON, the columns are what is searched for.
CREATE TABLE incidents (
  id        TEXT PRIMARY KEY,
  key       TEXT NOT NULL,
  opened_at INTEGER NOT NULL, -- Unix milliseconds, as all times here
  closed_at INTEGER NOT NULL, -- 0 while open
  impact    TEXT NOT NULL,
  public    INTEGER NOT NULL,
  body      TEXT NOT NULL
) STRICT;
CREATE INDEX incidents_by_key ON incidents (key, opened_at);
CREATE INDEX incidents_by_opened ON incidents (public, opened_at);
CREATE INDEX incidents_open ON incidents (key) WHERE closed_at = 0;

-- Who is told. The address is sealed; address_hash (keyed) finds it again.
CREATE TABLE recipients (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  audience     TEXT NOT NULL,
  channel      TEXT NOT NULL,
  language     TEXT NOT NULL,
  origin       TEXT NOT NULL, -- config or subscription
  active       INTEGER NOT NULL,
  address      BLOB NOT NULL,
  address_hash BLOB NOT NULL,
  UNIQUE (audience, channel, address_hash)
) STRICT;
CREATE INDEX recipients_by_audience ON recipients (audience, id) WHERE active = 1;

-- What is to be told: one row a notice, written with the incident's change.
CREATE TABLE notices (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  incident_id TEXT NOT NULL REFERENCES incidents (id),
  audience    TEXT NOT NULL,
  event       TEXT NOT NULL,
  lane        INTEGER NOT NULL, -- 0 people on call, 1 the public
  at          INTEGER NOT NULL,
  facts       TEXT NOT NULL,
  expanded_to INTEGER NOT NULL DEFAULT 0, -- the last recipient that has a delivery
  expanded    INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX notices_to_expand ON notices (lane, id) WHERE expanded = 0;

-- One row a notice and recipient.
CREATE TABLE deliveries (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  notice_id    INTEGER NOT NULL REFERENCES notices (id),
  recipient_id INTEGER NOT NULL REFERENCES recipients (id),
  incident_id  TEXT NOT NULL,
  channel      TEXT NOT NULL,
  lane         INTEGER NOT NULL,
  state        TEXT NOT NULL, -- queued, sent, dead
  attempts     INTEGER NOT NULL DEFAULT 0,
  created_at   INTEGER NOT NULL,
  next_at      INTEGER NOT NULL,
  lease_until  INTEGER NOT NULL DEFAULT 0,
  done_at      INTEGER NOT NULL DEFAULT 0,
  problem      TEXT NOT NULL DEFAULT '',
  UNIQUE (notice_id, recipient_id)
) STRICT;
CREATE INDEX deliveries_due ON deliveries (channel, lane, next_at) WHERE state = 'queued';
CREATE INDEX deliveries_dead ON deliveries (done_at) WHERE state = 'dead';
CREATE INDEX deliveries_of_incident ON deliveries (incident_id, recipient_id, id);

-- Single values: the Watchdog's time, the last known services, the key's check value.
CREATE TABLE marks (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;

-- +goose Down
DROP TABLE marks;
DROP TABLE deliveries;
DROP TABLE notices;
DROP TABLE recipients;
DROP TABLE incidents;
