-- What the agent remembers. Times named `*_wall` are Unix microseconds, for people; times named `*_at` are the
-- engine's microseconds, for decisions: wall clocks jump.

-- One row: what there is once. `schema` repeats user_version, so that a damaged header is told from a newer agent's;
-- `digest` is over the rest: SQLite has no checksums of its own, and a flipped bit here could refill budgets.
CREATE TABLE state (
    only          INTEGER PRIMARY KEY CHECK (only = 1),
    schema        INTEGER NOT NULL,
    installation  BLOB    NOT NULL,
    next_incident INTEGER NOT NULL DEFAULT 1,
    next_action   INTEGER NOT NULL DEFAULT 1,
    boot_id       TEXT,
    boot_offset   INTEGER,
    last_at       INTEGER,
    last_wall     INTEGER,
    digest        BLOB    NOT NULL
) STRICT;
INSERT INTO state (only, schema, installation, digest) VALUES (1, 1, randomblob(16), x'');

-- What the engine must not forget of each service, and of the host, which is called `(host)`. `digest` is over name and
-- memory, for the same reason.
CREATE TABLE memory (
    name         TEXT PRIMARY KEY,
    memory       TEXT    NOT NULL,
    digest       BLOB    NOT NULL,
    updated_wall INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE incidents (
    id          INTEGER PRIMARY KEY,
    service     TEXT    NOT NULL,
    opened_wall INTEGER NOT NULL,
    closed_wall INTEGER,
    closed_at   INTEGER,
    resolution  TEXT,
    cause_kind  TEXT    NOT NULL,
    cause       TEXT    NOT NULL,
    cause_text  TEXT    NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    gave_up     INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX incidents_closed ON incidents (closed_at) WHERE closed_at IS NOT NULL;

CREATE TABLE timeline (
    incident INTEGER NOT NULL REFERENCES incidents ON DELETE CASCADE,
    seq      INTEGER NOT NULL,
    wall     INTEGER NOT NULL,
    kind     TEXT    NOT NULL,
    text     TEXT    NOT NULL,
    PRIMARY KEY (incident, seq)
) STRICT, WITHOUT ROWID;

-- The write-ahead of recovery actions. An action's number is never used twice.
CREATE TABLE intents (
    action        INTEGER PRIMARY KEY,
    service       TEXT    NOT NULL,
    incident      INTEGER REFERENCES incidents ON DELETE CASCADE,
    attempt       INTEGER NOT NULL,
    verb          TEXT    NOT NULL,
    expected      TEXT,
    recorded_at   INTEGER NOT NULL,
    recorded_wall INTEGER NOT NULL,
    outcome       TEXT,
    outcome_text  TEXT,
    outcome_wall  INTEGER,
    verified      INTEGER,
    verdict_text  TEXT,
    verdict_wall  INTEGER
) STRICT;
CREATE INDEX intents_incident ON intents (incident);

-- Messages on their way. AUTOINCREMENT: the order of rows is the order of sending, also after rows were removed.
CREATE TABLE outbox (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    event         TEXT    NOT NULL UNIQUE,
    incident      INTEGER NOT NULL,
    sequence      INTEGER NOT NULL,
    receiver      TEXT    NOT NULL,
    kind          TEXT    NOT NULL,
    severity      TEXT    NOT NULL,
    payload       BLOB    NOT NULL,
    created_at    INTEGER NOT NULL,
    created_wall  INTEGER NOT NULL,
    not_before_at INTEGER NOT NULL DEFAULT 0,
    state         TEXT    NOT NULL DEFAULT 'pending'
                  CHECK (state IN ('pending', 'inflight', 'delivered', 'dead', 'expired')),
    attempts      INTEGER NOT NULL DEFAULT 0,
    ambiguous     INTEGER NOT NULL DEFAULT 0,
    last_error    TEXT,
    reference     TEXT,
    finished_wall INTEGER
) STRICT;
CREATE INDEX outbox_waiting ON outbox (receiver, id) WHERE state IN ('pending', 'inflight');
CREATE INDEX outbox_incident ON outbox (incident);
