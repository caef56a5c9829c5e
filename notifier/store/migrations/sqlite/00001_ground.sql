-- +goose Up

-- One row an incident; body is the whole incident as JSON, the columns are what is searched for.
CREATE TABLE incidents (
  seq       INTEGER PRIMARY KEY AUTOINCREMENT, -- the order in which they were opened
  id        TEXT NOT NULL UNIQUE,
  key       TEXT NOT NULL,
  opened_at INTEGER NOT NULL, -- Unix milliseconds, as all times here where nothing else is said
  closed_at INTEGER NOT NULL, -- 0 while open
  impact    TEXT NOT NULL,
  public    INTEGER NOT NULL,
  body      TEXT NOT NULL
) STRICT;
CREATE INDEX incidents_by_key ON incidents (key, opened_at);
CREATE INDEX incidents_by_opened ON incidents (public, opened_at);
CREATE INDEX incidents_open ON incidents (key) WHERE closed_at = 0;

-- Planned work, kept as incidents are.
CREATE TABLE maintenances (
  id       TEXT PRIMARY KEY,
  from_at  INTEGER NOT NULL,
  ended_at INTEGER NOT NULL, -- 0: it is planned, or goes on
  body     TEXT NOT NULL
) STRICT;
CREATE INDEX maintenances_by_end ON maintenances (ended_at, from_at);

-- Who is told. The address is sealed; address_hash (keyed) finds it again.
CREATE TABLE recipients (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  audience     TEXT NOT NULL,
  channel      TEXT NOT NULL,
  language     TEXT NOT NULL,
  origin       TEXT NOT NULL, -- config or subscription
  state        TEXT NOT NULL, -- pending, active, refused, departed
  address      BLOB NOT NULL,
  address_key  TEXT NOT NULL, -- id of the key that sealed it
  address_hash BLOB NOT NULL,
  wants        TEXT NOT NULL DEFAULT '{}', -- JSON: services, least impact, quiet hours
  nonce        TEXT NOT NULL DEFAULT '',
  nonce_until  INTEGER NOT NULL DEFAULT 0,
  nonce_tries  INTEGER NOT NULL DEFAULT 0, -- wrong answers to it
  created_at   INTEGER NOT NULL DEFAULT 0,
  confirmed_at INTEGER NOT NULL DEFAULT 0,
  departed_at  INTEGER NOT NULL DEFAULT 0, -- since when nobody is told; seen by the next tidying
  problem      TEXT NOT NULL DEFAULT '', -- why it is refused
  blocked_until INTEGER NOT NULL DEFAULT 0, -- the far side takes nothing for it until then
  moved_from   BLOB NOT NULL DEFAULT x'', -- keyed hash of the address that the configuration names, where the far side has moved it
  UNIQUE (audience, channel, address_hash)
) STRICT;
CREATE INDEX recipients_by_audience ON recipients (audience, id) WHERE state = 'active';
CREATE INDEX recipients_pending ON recipients (created_at) WHERE state = 'pending';
CREATE INDEX recipients_departed ON recipients (departed_at) WHERE state = 'departed';

-- What is to be told: one row a notice, written with the incident's change.
CREATE TABLE notices (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  incident_id  TEXT NOT NULL DEFAULT '', -- '': of none
  audience     TEXT NOT NULL,
  recipient_id INTEGER NOT NULL DEFAULT 0, -- the one who is told; 0: the whole audience
  event        TEXT NOT NULL,
  lane         INTEGER NOT NULL, -- 0 people on call, 1 the public, 2 confirmations
  at           INTEGER NOT NULL,
  facts        TEXT NOT NULL,
  expanded_to  INTEGER NOT NULL DEFAULT 0, -- the last recipient that has a delivery
  expanded     INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX notices_to_expand ON notices (lane, id) WHERE expanded = 0;
CREATE INDEX notices_of_incident ON notices (incident_id, recipient_id);
CREATE INDEX notices_by_age ON notices (at);

-- One row a notice and recipient.
CREATE TABLE deliveries (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  notice_id    INTEGER NOT NULL REFERENCES notices (id),
  recipient_id INTEGER NOT NULL, -- of a row that stays as long as this one; checked by no index, which every delivery would pay for
  channel      TEXT NOT NULL,
  lane         INTEGER NOT NULL,
  state        TEXT NOT NULL, -- queued, sent, dead, dropped, replaced
  attempts     INTEGER NOT NULL DEFAULT 0,
  created_at   INTEGER NOT NULL, -- when its notice was decided, or a person sent it again
  next_at      INTEGER NOT NULL,
  lease_until  INTEGER NOT NULL DEFAULT 0,
  first        INTEGER NOT NULL DEFAULT 0, -- the recipient hears of the incident for the first time
  digest       INTEGER NOT NULL DEFAULT 0, -- told with others at the end of quiet hours
  done_at      INTEGER NOT NULL DEFAULT 0,
  problem      TEXT NOT NULL DEFAULT '',
  unclear_with TEXT NOT NULL DEFAULT '', -- the provider that may have taken it: its answer was lost
  unclear_at   INTEGER NOT NULL DEFAULT 0,
  UNIQUE (notice_id, recipient_id)
) STRICT;
CREATE INDEX deliveries_due ON deliveries (channel, lane, next_at, id) WHERE state = 'queued';
CREATE INDEX deliveries_dead ON deliveries (id) WHERE state = 'dead';
CREATE INDEX deliveries_together ON deliveries (recipient_id) WHERE state = 'queued' AND digest = 1;

-- How fast each far side may be spoken to: a channel, a lane of it, a chat, a domain.
CREATE TABLE paces (
  scope         TEXT PRIMARY KEY, -- "telegram", "telegram/confirmation"; a chat or domain as a keyed hash
  next_at       INTEGER NOT NULL DEFAULT 0, -- Unix microseconds: from when on the next one may go
  blocked_until INTEGER NOT NULL DEFAULT 0, -- the far side said so
  day           TEXT NOT NULL DEFAULT '', -- to which spent belongs
  spent         INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- How often strangers have asked for something. A row that says nothing any more is deleted.
CREATE TABLE limits (
  name    TEXT PRIMARY KEY, -- "subscribe"; of an address or a network with a keyed hash
  full_at INTEGER NOT NULL -- Unix microseconds: from when on nothing is counted any more
) STRICT, WITHOUT ROWID;
CREATE INDEX limits_full ON limits (full_at);

-- Every human act, never changed.
CREATE TABLE audit (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  at      INTEGER NOT NULL,
  by      TEXT NOT NULL, -- as they call themselves; '' where they gave no name
  way     TEXT NOT NULL, -- console, api, cli, telegram, page
  deed    TEXT NOT NULL,
  subject TEXT NOT NULL, -- "incident k3…", "recipient 17"; no personal data
  detail  TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX audit_by_subject ON audit (subject, id);

-- +goose StatementBegin
CREATE TRIGGER audit_never_changes BEFORE UPDATE ON audit
BEGIN SELECT raise(ABORT, 'the audit log is never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_never_shrinks BEFORE DELETE ON audit
BEGIN SELECT raise(ABORT, 'the audit log is never changed'); END;
-- +goose StatementEnd

-- The keys that seal addresses: the check value makes a wrong one a clear error.
CREATE TABLE seal_keys (
  id    TEXT PRIMARY KEY,
  proof TEXT NOT NULL
) STRICT;

-- Single values: the Watchdog's time, the last known services.
CREATE TABLE marks (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;

-- +goose Down
DROP TABLE marks;
DROP TABLE seal_keys;
DROP TABLE audit;
DROP TABLE limits;
DROP TABLE paces;
DROP TABLE deliveries;
DROP TABLE notices;
DROP TABLE recipients;
DROP TABLE maintenances;
DROP TABLE incidents;
