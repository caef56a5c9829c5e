CREATE TABLE goose_db_version (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	);
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
CREATE TABLE maintenances (
  id       TEXT PRIMARY KEY,
  from_at  INTEGER NOT NULL,
  ended_at INTEGER NOT NULL, -- 0: it is planned, or goes on
  body     TEXT NOT NULL
) STRICT;
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
CREATE TABLE paces (
  scope         TEXT PRIMARY KEY, -- "telegram", "telegram/confirmation"; a chat or domain as a keyed hash
  next_at       INTEGER NOT NULL DEFAULT 0, -- Unix microseconds: from when on the next one may go
  blocked_until INTEGER NOT NULL DEFAULT 0, -- the far side said so
  day           TEXT NOT NULL DEFAULT '', -- to which spent belongs
  spent         INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TABLE limits (
  name    TEXT PRIMARY KEY, -- "subscribe"; of an address or a network with a keyed hash
  full_at INTEGER NOT NULL -- Unix microseconds: from when on nothing is counted any more
) STRICT, WITHOUT ROWID;
CREATE TABLE audit (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  at      INTEGER NOT NULL,
  by      TEXT NOT NULL, -- as they call themselves; '' where they gave no name
  way     TEXT NOT NULL, -- console, api, cli, telegram, page
  deed    TEXT NOT NULL,
  subject TEXT NOT NULL, -- "incident k3…", "recipient 17"; no personal data
  detail  TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE seal_keys (
  id    TEXT PRIMARY KEY,
  proof TEXT NOT NULL
) STRICT;
CREATE TABLE marks (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;
INSERT INTO goose_db_version VALUES (1, 0, 1, '2026-11-22 16:29:46');
INSERT INTO goose_db_version VALUES (2, 1, 1, '2026-11-22 16:29:46');
INSERT INTO incidents VALUES (1, 'i1', 'demo/alipay', 1795316400000, 0, 'major', 0, '{"ID":"i1","Key":"demo/alipay","Service":{"Shop":"","ID":"","Name":{"zh":"","en":""},"Group":{"zh":"","en":""},"Role":"","Position":0,"Critical":false,"Public":false,"Status":""},"Title":{"zh":"支付宝暂时无法支付","en":"Alipay payments are failing"},"Status":"investigating","Impact":"major","Public":false,"Wanted":false,"Since":"2026-11-22T03:00:00Z","Opened":"2026-11-22T03:00:00Z","Over":"0001-01-01T00:00:00Z","Closed":"0001-01-01T00:00:00Z","Alerts":null,"Told":{"ops":"2026-11-22T03:00:00Z"},"More":"0001-01-01T00:00:00Z","Updates":null,"Acknowledged":{},"Held":null,"Acts":null}');
INSERT INTO recipients VALUES (1, 'ops', 'telegram', 'zh', 'config', 'active', X'86A83343B9A4651547F6DC4EFEAFF92918476DC0779C75C6203A4989BD32', '38fd4184fca0', X'99EBC29838C868AD9102AF4FEE1AAE9CEBF78F13A4F8D6CD5A9F26EC5DB1D677', '{}', '', 0, 0, 0, 0, 0, '', 0, X'');
INSERT INTO recipients VALUES (2, 'subscribers', 'email', 'en', 'subscription', 'active', X'91594798FC5672CAAAB55EB7DD024AF761A79D5E9D14E693DCFB4AF525CAB06BC66D427928AE47F70968E9', '38fd4184fca0', X'FA794F2F3F17E469EFD3D6CE46B8C4E8645EAEAC2188CD135027FC2E7B77EEDB', '{}', 'n1', 1795320000000, 2, 1795316400000, 0, 0, '', 0, X'');
INSERT INTO notices VALUES (1, 'i1', 'ops', 0, 'down', 0, 1795316400000, '{"title":{"zh":"支付宝暂时无法支付","en":"Alipay payments are failing"},"service":{"Shop":"","ID":"","Name":{"zh":"","en":""},"Group":{"zh":"","en":""},"Role":"","Position":0,"Critical":false,"Public":false,"Status":""},"impact":"","since":"2026-11-22T03:00:00Z","description":{"zh":"","en":""},"alert_start":"0001-01-01T00:00:00Z"}', 1, 1);
INSERT INTO deliveries VALUES (1, 1, 1, 'telegram', 0, 'queued', 0, 1795316400000, 1795316400000, 0, 1, 0, 0, '', '', 0);
INSERT INTO audit VALUES (1, 1795316400000, '小王', 'cli', 'acknowledge', 'incident i1', '');
INSERT INTO seal_keys VALUES ('38fd4184fca0', '88e67e48d2ce2af9ee5b0837b9f00d4f070781316e28e278cc38eb561357c828');
INSERT INTO marks VALUES ('derived_root', '38fd4184fca0 OpfB4y2NzC4K+rzDp11dskN7hh4m2U+ffhj49vhcGIDfXLc8G3DNvtAAJI+puXAB4mHWT2v0Ab6Fciel');
INSERT INTO marks VALUES ('watchdog', '1');
CREATE INDEX audit_by_subject ON audit (subject, id);
CREATE TRIGGER audit_never_changes BEFORE UPDATE ON audit
BEGIN SELECT raise(ABORT, 'the audit log is never changed'); END;
CREATE TRIGGER audit_never_shrinks BEFORE DELETE ON audit
BEGIN SELECT raise(ABORT, 'the audit log is never changed'); END;
CREATE INDEX deliveries_dead ON deliveries (id) WHERE state = 'dead';
CREATE INDEX deliveries_due ON deliveries (channel, lane, next_at, id) WHERE state = 'queued';
CREATE INDEX deliveries_together ON deliveries (recipient_id) WHERE state = 'queued' AND digest = 1;
CREATE INDEX incidents_by_key ON incidents (key, opened_at);
CREATE INDEX incidents_by_opened ON incidents (public, opened_at);
CREATE INDEX incidents_open ON incidents (key) WHERE closed_at = 0;
CREATE INDEX limits_full ON limits (full_at);
CREATE INDEX maintenances_by_end ON maintenances (ended_at, from_at);
CREATE INDEX notices_by_age ON notices (at);
CREATE INDEX notices_of_incident ON notices (incident_id, recipient_id);
CREATE INDEX notices_to_expand ON notices (lane, id) WHERE expanded = 0;
CREATE INDEX recipients_by_audience ON recipients (audience, id) WHERE state = 'active';
CREATE INDEX recipients_departed ON recipients (departed_at) WHERE state = 'departed';
CREATE INDEX recipients_pending ON recipients (created_at) WHERE state = 'pending';
