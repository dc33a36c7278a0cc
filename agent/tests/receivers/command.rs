//! A program as a receiver: a real one, on a real host.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use sentinel_config::CommandSettings;
use sentinel_notify::{DeliveryError, DeliveryErrorKind, Retry};

use super::*;

/// A script in `dir`.
fn script(dir: &Path, text: &str) -> Vec<String> {
    let path = dir.join("page");
    std::fs::write(&path, text).unwrap();
    vec![
        "/bin/sh".to_owned(),
        path.display().to_string(),
        dir.display().to_string(),
    ]
}

fn program(argv: Vec<String>, timeout: Duration) -> Receiver {
    receiver(ReceiverKind::Command(CommandSettings {
        argv,
        env: BTreeMap::from([("PAGER_TOKEN".to_owned(), Secret::from("T0K3NofPAGER"))]),
        timeout,
    }))
}

async fn run(text: &str, message: &Message) -> (Result<(), DeliveryError>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let receiver = program(script(dir.path(), text), Duration::from_secs(10));
    let result = receiver
        .deliver(&delivery(message, None), sentinel_base::clock::wall())
        .await;
    (result.map(drop), dir)
}

#[tokio::test]
async fn a_program_gets_the_message_on_stdin_and_in_its_environment() {
    let mut linked = message("fired");
    linked.data.url = Some("https://runbooks.example.com/shop".to_owned());
    let (result, dir) = run("cat > $1/stdin; env > $1/env", &linked).await;
    result.unwrap();
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    assert_eq!(serde_json::from_str::<Message>(&read("stdin")).unwrap(), linked);
    let env = read("env");
    for line in [
        "SENTINEL_TYPE=incident.fired",
        "SENTINEL_KIND=fired",
        "SENTINEL_HOST=web1",
        "SENTINEL_SERVICE=shop",
        "SENTINEL_INCIDENT=7",
        "SENTINEL_SEVERITY=warning",
        "SENTINEL_URL=https://runbooks.example.com/shop",
        "SENTINEL_ATTEMPT=1",
        "SENTINEL_MESSAGE_ID=msg_0123456789abcdef0123456789abcdef",
        "SENTINEL_TITLE=web1: shop is down: killed by signal KILL",
        "SENTINEL_TEXT=web1: shop is down: killed by signal KILL",
        "PAGER_TOKEN=T0K3NofPAGER",
    ] {
        assert!(env.lines().any(|found| found == line), "{line} is missing in {env}");
    }
}

#[tokio::test]
async fn a_program_may_ignore_its_stdin_and_talk_a_lot() {
    let mut large = message("fired");
    large.data.doing = "x".repeat(19_000);
    let (result, _dir) = run("exec <&-; yes | head -c 1000000; yes | head -c 1000000 >&2", &large).await;
    result.unwrap();
}

#[tokio::test]
async fn exit_statuses_mean_what_is_documented() {
    use DeliveryErrorKind::{Refused, Unavailable};
    #[rustfmt::skip]
    let table = [
        ("exit 75", Unavailable, Retry::Later, false, "exited with code 75"),
        ("exit 64", Refused, Retry::Never, false, "exited with code 64"),
        ("exit 65", Refused, Retry::Never, false, "exited with code 65"),
        ("exit 77", Refused, Retry::Never, false, "exited with code 77"),
        ("echo sorry >&2; exit 78", Refused, Retry::Never, false, "exited with code 78: sorry"),
        ("echo on stdout; exit 1", Unavailable, Retry::Later, true, "exited with code 1: on stdout"),
        ("kill -9 $$", Unavailable, Retry::Later, true, "was killed by signal 9"),
        ("echo \"bad token $PAGER_TOKEN!\" >&2; exit 1", Unavailable, Retry::Later, true, "bad token [redacted]!"),
    ];
    for (text, kind, retry, ambiguous, said) in table {
        let error = run(text, &message("fired")).await.0.unwrap_err();
        assert!(error.to_string().ends_with(said), "{text}: {error}");
        assert_eq!(
            (error.kind(), error.retry(), error.is_ambiguous()),
            (kind, retry, ambiguous),
            "{text}"
        );
    }
}

#[tokio::test]
async fn what_takes_too_long_is_killed_with_its_children() {
    let dir = tempfile::tempdir().unwrap();
    // A child that lived on would hold the other end of this pipe.
    let fifo = dir.path().join("alive");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    let path = fifo.clone();
    // Ends when nobody has the other end any more.
    let reader = tokio::task::spawn_blocking(move || std::fs::read(path));
    let text = "(exec 3> $1/alive; exec sleep 600) & wait";
    let receiver = program(script(dir.path(), text), Duration::from_secs(2));
    let error = receiver
        .deliver(&delivery(&message("fired"), None), sentinel_base::clock::wall())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.retry(), error.is_ambiguous()),
        (DeliveryErrorKind::Timeout, Retry::Later, true)
    );
    // On a host so slow that the child never came to open it, the reader still waits for somebody who does.
    let _ = std::fs::OpenOptions::new()
        .write(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
        .open(&fifo);
    let read = tokio::time::timeout(BOUND, reader).await.expect("a child lives on");
    read.unwrap().unwrap();
}

#[tokio::test]
async fn what_cannot_be_run_is_tried_again() {
    let receiver = program(vec!["/nonexistent/page".to_owned()], Duration::from_secs(1));
    let error = receiver
        .deliver(&delivery(&message("fired"), None), sentinel_base::clock::wall())
        .await
        .unwrap_err();
    assert_eq!((error.retry(), error.is_ambiguous()), (Retry::Later, false));
    assert!(
        error
            .to_string()
            .starts_with("cannot run `/nonexistent/page`: No such file"),
        "{error}"
    );
}
