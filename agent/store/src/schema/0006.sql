-- What receivers were told that is about no incident, so that the agent that runs after this one does not tell it again.
-- A row stays for as long as what it says is so: once that is over, it is news when it comes back.
CREATE TABLE announced (
    topic TEXT NOT NULL,
    about TEXT NOT NULL,
    PRIMARY KEY (topic, about)
) STRICT, WITHOUT ROWID;
