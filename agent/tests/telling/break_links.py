"""Gives every message in the store below the directory named first a link that Alertmanager refuses; says how many."""

import pathlib
import sqlite3
import sys

changed = 0
for path in pathlib.Path(sys.argv[1]).rglob("*.db"):
    store = sqlite3.connect(path)
    for table, column in (("outbox", "payload"), ("firing", "alert")):
        for row, text in store.execute(f"SELECT rowid, {column} FROM {table}").fetchall():
            text = bytes(text) if isinstance(text, bytes) else text.encode()
            broken = text.replace(b"/100%25/", b"/100%/")
            if broken != text:
                value = broken if table == "outbox" else broken.decode()
                store.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (value, row))
                changed += 1
    store.commit()
print(changed)
