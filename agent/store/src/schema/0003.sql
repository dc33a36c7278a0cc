-- Who was told of each incident that is open, so that its end reaches them after a restart or a reload: JSON, which the
-- engine understands. One row for each open incident that anybody was, or should have been, told of.
CREATE TABLE conversations (
    incident     INTEGER PRIMARY KEY,
    conversation TEXT    NOT NULL,
    updated_wall INTEGER NOT NULL
) STRICT;

-- The silences in force. `matches` is JSON. AUTOINCREMENT: a number is never used for another one.
CREATE TABLE silences (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    matches    TEXT    NOT NULL,
    author     TEXT    NOT NULL,
    comment    TEXT    NOT NULL,
    since_at   INTEGER NOT NULL,
    since_wall INTEGER NOT NULL,
    until_at   INTEGER NOT NULL,
    until_wall INTEGER NOT NULL
) STRICT;
