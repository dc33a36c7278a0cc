#!/bin/bash
# A passphrase as the secret of a webhook is a key in one library of Standard Webhooks and an error in the next.
#
# Seen with: standardwebhooks 1.0.0 of PyPI, and the crate standardwebhooks 1.0.1.
#
# A secret is base64 after `whsec_`, and both libraries let the prefix be left out. Whatever somebody writes is then decoded as
# base64. Python's decoder skips what is not of its alphabet, so a passphrase with dashes whose letters and digits happen to
# be a multiple of four in number is silently some other key, the same one as without the dashes; other passphrases are an
# error about padding that speaks of no secret. The crate's decoder refuses the dashes. Whoever signs by the bytes of the
# passphrase itself agrees with neither.
#
# Expected here: `our-secret-for-alerts-01` has the key of `oursecretforalerts01` in Python, and none in Rust.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet standardwebhooks==1.0.0
venv/bin/python - >seen.txt <<'END'
from datetime import datetime, timezone
from standardwebhooks import Webhook

at = datetime.fromtimestamp(1700000000, timezone.utc)
for secret in ("oursecretforalerts01", "our-secret-for-alerts-01", "another-secret"):
    try:
        print("python", secret, Webhook(secret).sign("msg_1", at, "{}"))
    except ValueError as error:
        print("python", secret, error)
END
cargo init --quiet --vcs none --name finding .
echo 'standardwebhooks = "=1.0.1"' >>Cargo.toml
cat >src/main.rs <<'END'
fn main() {
    for secret in ["oursecretforalerts01", "our-secret-for-alerts-01", "another-secret"] {
        match standardwebhooks::Webhook::new(secret).and_then(|webhook| webhook.sign("msg_1", 1_700_000_000, b"{}")) {
            Ok(signature) => println!("rust {secret} {signature}"),
            Err(error) => println!("rust {secret} {error:?}"),
        }
    }
}
END
cargo run --quiet >>seen.txt
cat seen.txt
diff - seen.txt <<'END'
python oursecretforalerts01 v1,SMAcHjBsoizGNLhU+/e9wB6GJ2Dq790h9v2tGeQLRL4=
python our-secret-for-alerts-01 v1,SMAcHjBsoizGNLhU+/e9wB6GJ2Dq790h9v2tGeQLRL4=
python another-secret Invalid base64-encoded string: number of data characters (13) cannot be 1 more than a multiple of 4
rust oursecretforalerts01 v1,SMAcHjBsoizGNLhU+/e9wB6GJ2Dq790h9v2tGeQLRL4=
rust our-secret-for-alerts-01 InvalidSecret(InvalidByte(3, 45))
rust another-secret InvalidSecret(InvalidByte(7, 45))
END
echo 'standardwebhooks: a passphrase is a key in Python and an error in Rust'
