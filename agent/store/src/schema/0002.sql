-- Messages that combine others, and what is kept of the receivers themselves.

-- The states of a message are checked by its table, and a check can only be changed with the table.
CREATE TABLE outbox_2 (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    event         TEXT    NOT NULL UNIQUE,
    -- 0: about no incident, or several.
    incident      INTEGER NOT NULL,
    sequence      INTEGER NOT NULL,
    receiver      TEXT    NOT NULL,
    kind          TEXT    NOT NULL,
    severity      TEXT    NOT NULL,
    payload       BLOB    NOT NULL,
    created_at    INTEGER NOT NULL,
    created_wall  INTEGER NOT NULL,
    not_before_at INTEGER NOT NULL DEFAULT 0,
    -- Whether it was recorded with leave to wait for company.
    patient       INTEGER NOT NULL DEFAULT 0,
    state         TEXT    NOT NULL DEFAULT 'pending'
                  CHECK (state IN ('pending', 'inflight', 'merged', 'delivered', 'dead', 'superseded', 'expired')),
    attempts      INTEGER NOT NULL DEFAULT 0,
    ambiguous     INTEGER NOT NULL DEFAULT 0,
    last_error    TEXT,
    reference     TEXT,
    finished_wall INTEGER,
    -- Its place in the queue, when that is not its number's: that of the oldest message it combines.
    place         INTEGER,
    -- The message that it is part of, or that says the same.
    combined      INTEGER,
    -- The receiver that a message about receivers is about.
    about         TEXT
) STRICT;
INSERT INTO outbox_2 (id, event, incident, sequence, receiver, kind, severity, payload, created_at, created_wall,
                      not_before_at, state, attempts, ambiguous, last_error, reference, finished_wall)
SELECT id, event, incident, sequence, receiver, kind, severity, payload, created_at, created_wall,
       not_before_at, state, attempts, ambiguous, last_error, reference, finished_wall FROM outbox;
DROP TABLE outbox;
ALTER TABLE outbox_2 RENAME TO outbox;
CREATE INDEX outbox_waiting ON outbox (receiver, coalesce(place, id)) WHERE state IN ('pending', 'inflight', 'merged');
CREATE INDEX outbox_incident ON outbox (incident, receiver, sequence);
CREATE INDEX outbox_combined ON outbox (combined) WHERE combined IS NOT NULL;

-- The receivers that take messages from the outbox, and how each has answered.
CREATE TABLE receivers (
    name       TEXT PRIMARY KEY,
    health     TEXT NOT NULL DEFAULT '{}',
    last_error TEXT,
    error_wall INTEGER
) STRICT, WITHOUT ROWID;

-- What a receiver was never told, until a digest tells it.
CREATE TABLE undelivered (
    receiver   TEXT    NOT NULL,
    service    TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    messages   INTEGER NOT NULL,
    first_wall INTEGER NOT NULL,
    last_wall  INTEGER NOT NULL,
    PRIMARY KEY (receiver, service, kind)
) STRICT, WITHOUT ROWID;
