//! The reference library of Standard Webhooks verifies what the agent signs.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

/// Verifies each line of stdin, a JSON list of secret, id, timestamp, signatures and body, and answers `right`, or `wrong`
/// when the library says so.
const VERIFY: &str = r#"
import json, sys
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
for line in sys.stdin:
    secret, id, timestamp, signature, body = json.loads(line)
    headers = {"webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature}
    try:
        Webhook(secret).verify(body, headers)
        print("right")
    except WebhookVerificationError:
        print("wrong")
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

/// What the library says to a request with `body`, for a holder of `secret`.
fn question(secret: &str, request: &Request, body: &str) -> String {
    let header = |name: &str| request.headers[name].to_str().unwrap().to_owned();
    let [id, timestamp, signature] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map(header);
    serde_json::to_string(&(secret, id, timestamp, signature, body)).unwrap()
}

/// The library's answers.
fn ask(python: &Path, questions: &[String]) -> Vec<String> {
    let mut child = Command::new(python)
        .args(["-c", VERIFY])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, text) = (child.stdin.take().unwrap(), questions.join("\n"));
    // Beside the reading of the answers, which would fill the other pipe.
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "the library could not be asked");
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

/// What services may be called and may say, as far as it could matter to whoever signs bytes.
const WORDS: [&str; 12] = [
    "killed by signal KILL",
    "\"quoted\" and \\escaped\\",
    "two\nlines",
    "caf\u{e9} \u{1f50e}",
    "\u{5e9}\u{5dc}\u{5d5}\u{5dd}",
    "\u{0}\u{1}\u{7f}",
    "a.b.c",
    "<!channel> & co",
    "{{ template }}",
    "\u{2028}\u{feff}",
    "%2e%00",
    "",
];

#[tokio::test]
async fn the_reference_library_verifies_every_signature() {
    let Some(python) = python() else { return };
    let (url, mut requests) = server(ok).await;
    let receiver = receiver(webhook(&url, &[OLD, NEW]));
    let (mut questions, mut expected) = (Vec::new(), Vec::new());
    for (number, word) in (0..120).map(|number| (number, WORDS[number % WORDS.len()])) {
        let mut message = message(["fired", "gave_up", "resolved"][number % 3]);
        // Of every length, up to what there is room for.
        message.data.evidence = vec![Evidence::new(word, &word.repeat(1 + number * number))];
        message.data.cause.text = word.repeat(number);
        let mut delivery = delivery(&message, None);
        delivery.event = format!("msg_{number}");
        receiver.deliver(&delivery, sentinel_base::clock::wall()).await.unwrap();
        let request = next(&mut requests).await;
        let body = String::from_utf8(request.body.to_vec()).unwrap();
        for (secret, text, answer) in [
            (OLD, body.clone(), "right"),
            (NEW, body.clone(), "right"),
            (OTHER, body.clone(), "wrong"),
            (OLD, format!("{body} "), "wrong"),
        ] {
            questions.push(question(secret, &request, &text));
            expected.push(answer);
        }
    }
    // What `sentinel check` warns of: what stands there without the prefix is base64 to the library as well.
    let bare = OLD.trim_start_matches("whsec_");
    let plain = super::receiver(webhook(&url, &[bare]));
    plain
        .deliver(&delivery(&message("fired"), None), sentinel_base::clock::wall())
        .await
        .unwrap();
    let request = next(&mut requests).await;
    let body = String::from_utf8(request.body.to_vec()).unwrap();
    for (secret, answer) in [(bare.to_owned(), "wrong"), (STANDARD.encode(bare), "right")] {
        questions.push(question(&secret, &request, &body));
        expected.push(answer);
    }
    assert_eq!(ask(&python, &questions), expected);
    println!(
        "{} signatures judged as the reference library judges them",
        expected.len()
    );
}
