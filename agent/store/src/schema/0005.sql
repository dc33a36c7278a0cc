-- What was gathered about an incident besides its timeline: mostly what a run that failed last wrote to its log. Where it
-- could not be had (`missing`), `text` says why.
CREATE TABLE evidence (
    incident INTEGER NOT NULL REFERENCES incidents ON DELETE CASCADE,
    seq      INTEGER NOT NULL,
    wall     INTEGER NOT NULL,
    title    TEXT    NOT NULL,
    text     TEXT    NOT NULL,
    missing  INTEGER NOT NULL,
    PRIMARY KEY (incident, seq)
) STRICT, WITHOUT ROWID;
