//! Command probes.

use std::path::Path;
use std::time::Duration;

use sentinel_config::{CommandProbe, ProbeSettings};
use sentinel_engine::{FailureKind, ProbePhase, Verdict};

use super::{AMPLE, ask, assert_failed, assert_passed, prober};

fn command(argv: &[&str], timeout: Duration) -> ProbeSettings {
    ProbeSettings::Command(CommandProbe {
        argv: argv.iter().map(ToString::to_string).collect(),
        timeout,
    })
}

fn sh(script: &str, timeout: Duration) -> ProbeSettings {
    command(&["sh", "-c", script], timeout)
}

#[tokio::test]
async fn exit_status_decides_and_stderr_explains() {
    assert_passed(&ask(sh("echo fine; echo noise >&2", AMPLE)).await);
    let table = [
        ("exit 3", "exited with code 3"),
        (
            "echo 'no  such\tqueue' >&2; exit 1",
            "exited with code 1: no such queue",
        ),
        ("kill -SEGV $$", "was killed by signal 11"),
    ];
    for (script, detail) in table {
        assert_failed(&ask(sh(script, AMPLE)).await, ProbePhase::Command, detail);
    }
}

#[tokio::test]
async fn no_shell_and_no_input() {
    // A shell would expand the star; `cat` would wait for input for ever.
    assert_passed(&ask(command(&["test", "*", "=", "*"], AMPLE)).await);
    assert_passed(&ask(command(&["cat"], AMPLE)).await);
}

#[tokio::test]
async fn flood_on_stderr_neither_blocks_nor_fills_the_detail() {
    let script = "head -c 1000000 /dev/zero | tr '\\0' x >&2; exit 1";
    let outcome = ask(sh(script, AMPLE)).await;
    let Verdict::Failed(failure) = outcome.verdict else {
        panic!("{outcome:?}");
    };
    assert!(
        failure.detail.starts_with("exited with code 1: xxx") && failure.detail.len() < 600,
        "{failure}"
    );
}

#[tokio::test]
async fn missing_program_is_a_failure_with_its_name() {
    let outcome = ask(command(&["/nonexistent/check"], AMPLE)).await;
    assert_failed(
        &outcome,
        ProbePhase::Command,
        "cannot run `/nonexistent/check`: No such file or directory",
    );
    assert!(prober().prepare(None, &[command(&[], AMPLE)]).is_err());
}

#[tokio::test]
async fn deadline_kills_the_whole_group() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pids");
    let script = format!("sleep 600 & echo $! $$ >{}; wait", file.display());
    // Not so short that the shell has not got going.
    let timeout = Duration::from_secs(2);
    let outcome = ask(sh(&script, timeout)).await;
    assert_failed(&outcome, ProbePhase::Timeout, "still running after 2s");
    assert_ended(&file).await;
}

#[tokio::test]
async fn abandoned_round_leaves_no_process_behind() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pids");
    let script = format!("sleep 600 & echo $! $$ >{}; wait", file.display());
    let prober = prober();
    let probes = prober.prepare(None, &[sh(&script, AMPLE)]).unwrap();
    tokio::select! {
        outcome = prober.round(&probes) => panic!("{outcome:?}"),
        () = until(|| std::fs::read_to_string(&file).is_ok_and(|text| text.ends_with('\n'))) => (),
    }
    assert_ended(&file).await;
}

#[tokio::test]
async fn background_child_that_keeps_stderr_open_does_not_hold_the_verdict() {
    // The deadline is far away: only not waiting for the pipe's end can pass.
    let outcome = ask(sh("sleep 5 & exit 0", AMPLE)).await;
    assert_passed(&outcome);
    assert!(outcome.latency < Duration::from_secs(5), "{outcome:?}");
}

/// Waits until every process whose number is in the file has ended. A zombie has: whoever adopted it reaps it when it likes.
async fn assert_ended(file: &Path) {
    let text = std::fs::read_to_string(file).unwrap();
    for pid in text.split_whitespace() {
        let ended = || match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
            Ok(stat) => stat.contains(") Z "),
            Err(_) => true,
        };
        until(ended).await;
    }
}

/// Waits for the condition, within [`AMPLE`].
async fn until(condition: impl Fn() -> bool) {
    let poll = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(AMPLE, poll)
        .await
        .expect("the condition comes true");
}

#[tokio::test]
async fn what_cannot_be_run_is_the_agents_failure_and_says_nothing_of_the_service() {
    let kind = |outcome: sentinel_engine::ProbeOutcome| match outcome.verdict {
        Verdict::Failed(failure) => failure.kind,
        other => panic!("{other:?}"),
    };
    let table = [
        (command(&["/no/such/program"], AMPLE), FailureKind::Agent),
        (command(&["/etc/hostname"], AMPLE), FailureKind::Agent),
        (sh("exit 126", AMPLE), FailureKind::Agent),
        (sh("no-such-program-either", AMPLE), FailureKind::Agent),
        (sh("exit 1", AMPLE), FailureKind::Command),
        (sh("kill -9 $$", AMPLE), FailureKind::Command),
    ];
    for (settings, expected) in table {
        assert_eq!(kind(ask(settings.clone()).await), expected, "{settings:?}");
    }
}
