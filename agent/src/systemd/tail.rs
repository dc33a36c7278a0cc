//! The last lines that a run of a unit wrote to the journal: what it said itself, not what PID 1 says of it.
//!
//! Which unit and which run wrote a line is filled in by journald (`_SYSTEMD_UNIT`, `_SYSTEMD_INVOCATION_ID`), so another
//! process cannot put words into its mouth. What the line says is untrusted: any bytes, of any length.

use std::process::Stdio;
use std::time::Duration;

use jiff::Timestamp;
use sentinel_engine::Instance;
use serde_json::{Map, Value};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

/// Longest output read. A line of journald's longest (48 KiB) is up to four times as much in JSON, when it is no UTF-8; the
/// newest come first, so what is cut off are older ones.
const OUTPUT_MAX: u64 = 512 * 1024;

/// Enough of what journalctl says when it fails.
const ERROR_MAX: u64 = 1024;

/// journalctl opens every journal file, which takes milliseconds warm and can take long cold.
const DEADLINE: Duration = Duration::from_secs(3);

/// Lines read beyond those asked for when no run is named, as a newer one may have begun.
const NEWER_RUN: u32 = 50;

/// How much later than it was written journald may have taken a line.
const SLACK: Duration = Duration::from_secs(1);

/// The last `count` lines that `run` of `unit` wrote, oldest first; when no run is named, those of the one that wrote last
/// before `until`.
///
/// # Errors
///
/// Why they cannot be read, for people.
pub async fn last_lines(
    unit: &str,
    run: Option<&Instance>,
    until: Timestamp,
    count: u32,
) -> Result<Vec<Vec<u8>>, String> {
    match tokio::time::timeout(DEADLINE, read(unit, run, until, count)).await {
        Ok(answer) => answer,
        Err(_elapsed) => Err(format!("journalctl took longer than {} s", DEADLINE.as_secs())),
    }
}

async fn read(unit: &str, run: Option<&Instance>, until: Timestamp, count: u32) -> Result<Vec<Vec<u8>>, String> {
    let mut command = Command::new("journalctl");
    command
        .args(["--output=json", "--all", "--no-pager", "--quiet", "--reverse"])
        .arg("--output-fields=MESSAGE,_SYSTEMD_INVOCATION_ID")
        .arg(format!("_SYSTEMD_UNIT={unit}"));
    match run {
        Some(run) => command
            .arg(format!("--lines={count}"))
            .arg(format!("_SYSTEMD_INVOCATION_ID={}", run.as_str())),
        None => command.arg(format!("--lines={}", count.saturating_add(NEWER_RUN))),
    };
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("journalctl cannot be run: {error}"))?;
    // Both at once: a child that fills one pipe while the other is read would never end.
    let (output, error) = tokio::join!(
        up_to(child.stdout.take(), OUTPUT_MAX),
        up_to(child.stderr.take(), ERROR_MAX)
    );
    let status = child.wait().await.map_err(|error| error.to_string())?;
    // What a run that still goes on says later belongs to it as well.
    let until = run.map_or(until, |_| Timestamp::MAX);
    let mut lines = of_last_run(parse(&output), until, count);
    if lines.is_empty() && !status.success() {
        let words = String::from_utf8_lossy(&error);
        return Err(format!(
            "journalctl: {}",
            words.lines().next().unwrap_or("it failed without a word")
        ));
    }
    lines.reverse();
    Ok(lines)
}

async fn up_to(stream: Option<impl AsyncRead + Unpin>, max: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        // What was read before an error is as good as any.
        let _ = stream.take(max).read_to_end(&mut bytes).await;
    }
    bytes
}

/// A line of the journal.
#[derive(Debug, PartialEq)]
struct Line {
    /// When journald took it, in microseconds of the wall clock; 0 when it does not say.
    at: i64,
    run: String,
    message: Vec<u8>,
}

/// The lines of journalctl's JSON, an object each. What is none, as one that was cut off, is left out.
fn parse(output: &[u8]) -> Vec<Line> {
    let text = |field: Option<&Value>| field.and_then(Value::as_str).unwrap_or_default().to_owned();
    output
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Map<String, Value>>(line).ok())
        .filter_map(|mut fields| {
            Some(Line {
                message: message(fields.remove("MESSAGE")?)?,
                at: text(fields.get("__REALTIME_TIMESTAMP")).parse().unwrap_or_default(),
                run: text(fields.get("_SYSTEMD_INVOCATION_ID")),
            })
        })
        .collect()
}

/// Of `lines`, newest first, at most `count` of the run that wrote last before `until`.
fn of_last_run(lines: Vec<Line>, until: Timestamp, count: u32) -> Vec<Vec<u8>> {
    let until = until
        .as_microsecond()
        .saturating_add(i64::try_from(SLACK.as_micros()).unwrap_or(i64::MAX));
    let mut lines = lines.into_iter().skip_while(|line| line.at > until).peekable();
    let run = lines.peek().map(|line| line.run.clone());
    lines
        .filter(|line| Some(&line.run) == run.as_ref())
        .map(|line| line.message)
        .take(count as usize)
        .collect()
}

/// A field is text, or a list of bytes when it is not printable UTF-8, or a list of those when it is there more than once.
fn message(field: Value) -> Option<Vec<u8>> {
    match field {
        Value::String(text) => Some(text.into_bytes()),
        Value::Array(bytes) if bytes.iter().all(Value::is_number) => Some(
            bytes
                .iter()
                .filter_map(|byte| byte.as_u64().and_then(|byte| u8::try_from(byte).ok()))
                .collect(),
        ),
        Value::Array(several) => several.into_iter().next().and_then(message),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_in_every_form_of_the_journal() {
        let output = [
            r#"{"MESSAGE":"plain","_PID":"7"}"#,
            r#"{"MESSAGE":[27,91,51,49,109,255]}"#,
            r#"{"MESSAGE":["first","second"]}"#,
            r#"{"MESSAGE":[[104,105],"second"]}"#,
            r#"{"MESSAGE":null}"#,
            r#"{"MESSAGE":7}"#,
            r#"{"MESSAGE":[300,-1,104]}"#,
            r#"{"OTHER":"x"}"#,
            "[]",
            "",
            r#"{"MESSAGE":"cut off"#,
        ]
        .join("\n");
        let expected: [&[u8]; 5] = [b"plain", b"\x1b[31m\xff", b"first", b"hi", b"h"];
        let messages: Vec<Vec<u8>> = parse(output.as_bytes()).into_iter().map(|line| line.message).collect();
        assert_eq!(messages, expected);
    }

    #[test]
    fn a_list_in_a_list_in_a_list_ends() {
        let deep = format!("{{\"MESSAGE\":{}1{}}}", "[".repeat(100), "]".repeat(100));
        assert_eq!(parse(deep.as_bytes())[0].message, [1]);
    }

    #[test]
    fn the_run_that_wrote_last_is_told_from_those_around_it() {
        let until = Timestamp::from_second(100).unwrap();
        let line = |second: i64, run: &str, message: &str| Line {
            at: second * 1_000_000,
            run: run.to_owned(),
            message: message.into(),
        };
        let lines = || {
            vec![
                line(103, "c", "the next run"),
                line(100, "b", "two"),
                line(99, "b", "one"),
                line(98, "a", "the run before"),
            ]
        };
        assert_eq!(of_last_run(lines(), until, 9), [b"two".to_vec(), b"one".to_vec()]);
        assert_eq!(of_last_run(lines(), until, 1), [b"two".to_vec()]);
        assert!(of_last_run(Vec::new(), until, 9).is_empty());
    }
}
