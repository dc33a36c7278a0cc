//! What PID 1's journal says of a unit that went down while the agent did not watch.
//!
//! Journal lines are untrusted input: any user may write to the journal. Only `_PID=1`, which journald itself fills in,
//! is asked for; still every line may be broken, and every field a string, a list of bytes, null, or missing.

use std::process::Stdio;
use std::time::Duration;

use sentinel_base::subprocess::up_to;
use sentinel_engine::Cause;
use serde_json::{Map, Value};
use tokio::process::Command;

/// Newest entries looked at. One run of a unit makes about five, a crash loop the same each time.
const ENTRIES: &str = "50";

/// Longest output read: 50 entries of the selected fields are about 30 KiB.
const OUTPUT_MAX: u64 = 256 * 1024;

/// journalctl opens every journal file, which takes milliseconds warm and can take long cold.
const DEADLINE: Duration = Duration::from_secs(2);

/// How much later than its last journal entry a unit's state may have changed, for both to tell the same story.
const SLACK_MICROS: u64 = 2_000_000;

// MESSAGE_ID values of systemd's sd-messages.h.
const UNIT_STARTED: &str = "39f53479d3a045ac8e11786248231fbf";
const UNIT_STOPPED: &str = "9d1aaa27d60140bd96365438aad20286";
const UNIT_FAILED: &str = "be02cf6855d2428ba40df7e9d022f03d";
const UNIT_SUCCESS: &str = "7ad2d189f7e94e70a38c781354912448";
const UNIT_FAILURE_RESULT: &str = "d9b373ed55a64feb8242e02dbe79a49c";
const UNIT_PROCESS_EXIT: &str = "98e322203f7a4ed290d09fe03c09fe15";

/// How a unit went down, as the journal has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Past {
    /// A stop job ended it, whatever its result.
    Stopped,
    /// It failed, or could not be started; with the cause if it is reported.
    Crashed(Option<Cause>),
    /// It ended by itself without an error.
    Exited,
    /// Something it needs could not be started.
    Dependency,
    /// Nothing is reported, or the journal may not be read.
    Unknown,
}

/// One entry, with the fields that decide.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Entry {
    message_id: String,
    job_type: String,
    job_result: String,
    exit_code: String,
    exit_status: String,
    /// `CLOCK_MONOTONIC` in microseconds.
    at: u64,
}

/// Asks the journal of this boot how `unit` went down at `state_change` (microseconds, 0 when PID 1 forgot).
pub(super) async fn past_of(unit: String, state_change: u64) -> Past {
    match tokio::time::timeout(DEADLINE, read(&unit)).await {
        Ok(Ok(lines)) => classify(&parse(&lines), state_change),
        Ok(Err(error)) => {
            tracing::debug!(unit, error = %error, "The journal cannot be read");
            Past::Unknown
        }
        Err(_elapsed) => {
            tracing::debug!(unit, "The journal did not answer in time");
            Past::Unknown
        }
    }
}

/// The newest entries of PID 1 about the unit. The process ends with this future.
async fn read(unit: &str) -> std::io::Result<Vec<u8>> {
    let mut child = Command::new("journalctl")
        .args(["--output=json", "--no-pager", "--quiet", "--boot", "--lines", ENTRIES])
        .arg("--output-fields=MESSAGE_ID,JOB_TYPE,JOB_RESULT,EXIT_CODE,EXIT_STATUS")
        .args(["_PID=1", &format!("UNIT={unit}")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let lines = up_to(child.stdout.take(), OUTPUT_MAX).await;
    // The pipe is closed, so a journalctl with more to say ends as well.
    child.wait().await?;
    Ok(lines)
}

/// Entries of journalctl's JSON, one a line; what is none is left out.
fn parse(lines: &[u8]) -> Vec<Entry> {
    lines
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Map<String, Value>>(line).ok())
        .map(|fields| {
            let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
            Entry {
                message_id: text("MESSAGE_ID").to_owned(),
                job_type: text("JOB_TYPE").to_owned(),
                job_result: text("JOB_RESULT").to_owned(),
                exit_code: text("EXIT_CODE").to_owned(),
                exit_status: text("EXIT_STATUS").to_owned(),
                at: text("__MONOTONIC_TIMESTAMP").parse().unwrap_or_default(),
            }
        })
        .collect()
}

/// What the newest entry that says how the unit ended says.
fn classify(entries: &[Entry], state_change: u64) -> Past {
    let Some(past) = entries
        .iter()
        .enumerate()
        .rev()
        .find_map(|(index, entry)| end_reported_by(entry, &entries[..index]).map(|past| (entry.at, past)))
    else {
        return Past::Unknown;
    };
    match past {
        // The state changed later, by something the journal does not tell: `reset-failed`, or lost entries.
        (at, _) if state_change > at.saturating_add(SLACK_MICROS) => Past::Unknown,
        (_, past) => past,
    }
}

fn end_reported_by(entry: &Entry, earlier: &[Entry]) -> Option<Past> {
    match (
        entry.message_id.as_str(),
        entry.job_type.as_str(),
        entry.job_result.as_str(),
    ) {
        // Only this one tells a stop: `Stopping` also stands in a restart, and is sometimes missing.
        (UNIT_STOPPED, "stop", "done") => Some(Past::Stopped),
        (UNIT_FAILED, _, "dependency") => Some(Past::Dependency),
        (UNIT_FAILED, _, "failed" | "timeout") | (UNIT_FAILURE_RESULT, "", _) => Some(Past::Crashed(cause(earlier))),
        (UNIT_SUCCESS, "", _) => Some(Past::Exited),
        // It was up after all that came before, and nothing says how that run ended.
        (UNIT_STARTED, _, _) => Some(Past::Unknown),
        _ => None,
    }
}

/// How the main process ended, told just before the failure.
fn cause(earlier: &[Entry]) -> Option<Cause> {
    let exit = earlier
        .iter()
        .rev()
        .take_while(|entry| entry.message_id != UNIT_STARTED)
        .find(|entry| entry.message_id == UNIT_PROCESS_EXIT)?;
    let status = exit.exit_status.parse().ok()?;
    match exit.exit_code.as_str() {
        "exited" => Some(super::cause::exited(status)),
        "killed" | "dumped" => Some(Cause::Killed {
            signal: status,
            core_dumped: exit.exit_code == "dumped",
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(message_id: &str, job_type: &str, job_result: &str) -> Entry {
        Entry {
            message_id: message_id.into(),
            job_type: job_type.into(),
            job_result: job_result.into(),
            at: 1000,
            ..Entry::default()
        }
    }

    fn exit(code: &str, status: &str) -> Entry {
        Entry {
            exit_code: code.into(),
            exit_status: status.into(),
            ..entry(UNIT_PROCESS_EXIT, "", "")
        }
    }

    #[test]
    fn the_newest_end_reports_the_past() {
        let started = || entry(UNIT_STARTED, "start", "done");
        let failed = || entry(UNIT_FAILURE_RESULT, "", "");
        let success = || entry(UNIT_SUCCESS, "", "");
        let stopped = |job_type: &str| entry(UNIT_STOPPED, job_type, "done");
        let stopping = || entry("de5b426a63be47a7b6ac3eaac82e2f6f", "stop", "");
        let crash = |code| Past::Crashed(Some(Cause::Exited { code }));
        let killed = Past::Crashed(Some(Cause::Killed {
            signal: 9,
            core_dumped: false,
        }));
        for (what, entries, past) in [
            ("never started", vec![], Past::Unknown),
            (
                "clean stop",
                vec![started(), stopping(), success(), stopped("stop")],
                Past::Stopped,
            ),
            (
                "stop that ends failed",
                vec![started(), stopping(), exit("exited", "143"), failed(), stopped("stop")],
                Past::Stopped,
            ),
            ("kill -9", vec![started(), exit("killed", "9"), failed()], killed),
            ("kill -TERM", vec![started(), success()], Past::Exited),
            (
                "restart that cannot start again",
                vec![
                    started(),
                    stopping(),
                    success(),
                    stopped("restart"),
                    exit("exited", "1"),
                    failed(),
                    entry(UNIT_FAILED, "restart", "failed"),
                ],
                crash(1),
            ),
            (
                "a stop long ago, then a start and a crash of which the cause is lost",
                vec![stopped("stop"), exit("exited", "3"), started(), failed()],
                Past::Crashed(None),
            ),
            (
                "its dependency cannot be started",
                vec![entry(UNIT_FAILED, "start", "dependency")],
                Past::Dependency,
            ),
            (
                "started, and nothing after that",
                vec![stopped("stop"), started()],
                Past::Unknown,
            ),
        ] {
            assert_eq!(classify(&entries, 1000), past, "{what}");
        }
    }

    #[test]
    fn a_state_newer_than_the_journal_is_not_reported_by_it() {
        let entries = [entry(UNIT_FAILURE_RESULT, "", "")];
        assert_eq!(classify(&entries, 1000 + SLACK_MICROS), Past::Crashed(None));
        assert_eq!(classify(&entries, 1001 + SLACK_MICROS), Past::Unknown);
    }

    #[test]
    fn lines_are_not_trusted() {
        let lines = [
            r#"{"MESSAGE_ID":"9d1aaa27d60140bd96365438aad20286","JOB_TYPE":"stop","JOB_RESULT":"done","__MONOTONIC_TIMESTAMP":"7"}"#,
            r#"{"MESSAGE_ID":[57,100],"JOB_TYPE":null,"JOB_RESULT":["done","done"],"__MONOTONIC_TIMESTAMP":7}"#,
            r#"{"MESSAGE_ID":"9d1aaa27d60140bd9636"#,
            "[1,2]",
            "",
            "\u{fffd}\u{0}",
        ]
        .join("\n");
        assert_eq!(
            parse(lines.as_bytes()),
            [
                Entry {
                    at: 7,
                    ..entry(UNIT_STOPPED, "stop", "done")
                },
                Entry::default(),
            ]
        );
    }
}

#[cfg(test)]
mod fuzz {
    use proptest::prelude::*;

    use super::*;

    /// A line of journalctl, or what is none.
    fn line() -> impl Strategy<Value = Vec<u8>> {
        let name = prop::sample::select(vec![
            "MESSAGE_ID",
            "JOB_TYPE",
            "JOB_RESULT",
            "EXIT_CODE",
            "EXIT_STATUS",
            "__MONOTONIC_TIMESTAMP",
        ]);
        let word = prop::sample::select(vec![
            UNIT_STARTED,
            UNIT_STOPPED,
            UNIT_FAILED,
            UNIT_SUCCESS,
            UNIT_FAILURE_RESULT,
            UNIT_PROCESS_EXIT,
            "stop",
            "done",
            "failed",
            "dependency",
            "exited",
            "killed",
            "KILL",
            "9",
            "0",
            "-1",
            "18446744073709551615",
            "",
        ]);
        let value = prop_oneof![
            8 => word.prop_map(Value::from),
            1 => any::<String>().prop_map(Value::from),
            1 => prop::collection::vec(any::<u8>(), 0..8).prop_map(Value::from),
            1 => Just(Value::Null),
        ];
        let entry = prop::collection::vec((name.prop_map(str::to_owned), value), 0..12)
            .prop_map(|fields| Value::Object(Map::from_iter(fields)).to_string().into_bytes());
        prop_oneof![9 => entry, 1 => prop::collection::vec(any::<u8>(), 0..40)]
    }

    proptest! {
        #[test]
        fn any_journal_says_something_or_nothing(
            lines in prop::collection::vec(line(), 0..12),
            state_change in prop_oneof![0..10_u64, any::<u64>()],
        ) {
            let entries = parse(&lines.join(&b'\n'));
            classify(&entries, state_change);
        }
    }
}
