"""Prints the mails of a Maildir as JSON, oldest first, as a parser reads them that has nothing to do with the agent."""

import email
import email.policy
import glob
import json
import sys

mails = []
for path in sorted(glob.glob(sys.argv[1] + "/new/*") + glob.glob(sys.argv[1] + "/cur/*")):
    raw = open(path, "rb").read()
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    parts = [part for part in mail.walk() if not part.is_multipart()]
    mails.append(
        {
            "headers": {name.lower(): str(value) for name, value in mail.items()},
            "received": [str(value) for value in mail.get_all("received", [])],
            "type": mail.get_content_type(),
            "parts": [part.get_content_type() for part in parts],
            "texts": [part.get_content() for part in parts],
            "defects": [repr(defect) for part in mail.walk() for defect in part.defects],
            "longest": max(len(line) for line in raw.splitlines()),
        }
    )
mails.sort(key=lambda mail: (mail["headers"]["date"], mail["headers"]["x-sentinel-type"] != "incident.fired"))
print(json.dumps(mails))
