//! The reference library of Standard Webhooks verifies what the agent signs.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::*;

/// Verifies what stands on stdin against the headers and the secret in its arguments: 0 when it is right, 1 when the
/// library says that it is not.
const VERIFY: &str = r#"
import sys
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
secret, id, timestamp, signature = sys.argv[1:]
headers = {"webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature}
try:
    Webhook(secret).verify(sys.stdin.buffer.read().decode(), headers)
except WebhookVerificationError:
    sys.exit(1)
"#;

const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW: &str = "whsec_c2VudGluZWwgdGVzdHMsIG5vdCBhIHNlY3JldA==";
const OTHER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// Python with the library; `None` where it cannot be had, which CI does not accept.
fn python() -> Option<PathBuf> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("standardwebhooks");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/receivers/requirements");
    let output = Command::new(script).arg(&directory).output().unwrap();
    if output.status.success() {
        return Some(directory.join("bin/python"));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let why = said.lines().last().unwrap_or("no reason given");
    assert!(std::env::var_os("CI").is_none(), "SUITE signatures CANNOT RUN: {why}");
    eprintln!("SUITE signatures CANNOT RUN: {why}");
    None
}

fn verifies(python: &Path, secret: &str, request: &Request, body: &[u8]) -> bool {
    let header = |name: &str| request.headers[name].to_str().unwrap().to_owned();
    let mut child = Command::new(python)
        .args(["-c", VERIFY, secret])
        .args(["webhook-id", "webhook-timestamp", "webhook-signature"].map(header))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(body).unwrap();
    match child.wait().unwrap().code() {
        Some(0) => true,
        Some(1) => false,
        other => panic!("the library could not be asked: {other:?}"),
    }
}

#[tokio::test]
async fn the_reference_library_verifies_every_signature() {
    let Some(python) = python() else { return };
    let (url, mut requests) = server(ok).await;
    let delivery = delivery(&message("fired"), None);
    receiver(webhook(&url, &[OLD, NEW]))
        .deliver(&delivery, Timestamp::now())
        .await
        .unwrap();
    let request = next(&mut requests).await;
    assert!(verifies(&python, OLD, &request, &request.body), "by the old secret");
    assert!(verifies(&python, NEW, &request, &request.body), "by the new secret");
    assert!(
        !verifies(&python, OTHER, &request, &request.body),
        "by a secret that did not sign"
    );
    let mut forged = request.body.to_vec();
    forged.push(b' ');
    assert!(!verifies(&python, OLD, &request, &forged), "of another body");
}
