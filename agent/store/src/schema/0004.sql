-- What receivers that go by levels were told fires: not a history, but what they are to be told again and again, also by
-- the agent that runs after this one. A row is one alert; `told` is the message that spoke of it last, `alert` is the
-- receiver's own form of it. An alert that ended stays for a while, to be told that too.
CREATE TABLE firing (
    receiver   TEXT    NOT NULL,
    incident   INTEGER NOT NULL,
    severity   TEXT    NOT NULL,
    told       INTEGER NOT NULL,
    alert      TEXT    NOT NULL,
    ended_wall INTEGER,
    PRIMARY KEY (receiver, incident, severity)
) STRICT, WITHOUT ROWID;
