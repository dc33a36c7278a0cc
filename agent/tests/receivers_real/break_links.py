"""Gives every message in the store below the directory named first a link that Alertmanager refuses; says how many."""

import pathlib
import sqlite3
import sys

changed = 0
for path in pathlib.Path(sys.argv[1]).rglob("*.db"):
    store = sqlite3.connect(path)
    for table, column in (("outbox", "payload"), ("firing", "alert")):
        # A table need not have row numbers, so a text is known by itself.
        for (stored,) in store.execute(f"SELECT DISTINCT {column} FROM {table}").fetchall():
            text = bytes(stored) if isinstance(stored, bytes) else stored.encode()
            broken = text.replace(b"/100%25/", b"/100%/")
            if broken != text:
                value = broken if isinstance(stored, bytes) else broken.decode()
                store.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (value, stored))
                changed += 1
    store.commit()
print(changed)
