//! The last lines that a run of a unit wrote to the journal: what it said itself, not what PID 1 says of it.
//!
//! Which unit and which run wrote a line is filled in by journald (`_SYSTEMD_UNIT`, `_SYSTEMD_INVOCATION_ID`), so another
//! process cannot put words into its mouth. Where journald came too late for the run, the time tells whose a line is. What the
//! line says is untrusted: any bytes, of any length.

use std::process::Stdio;
use std::time::Duration;

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use sentinel_base::subprocess::up_to;
use sentinel_engine::RunId;
use serde_json::{Map, Value};
use tokio::process::Command;

use super::error::LogError;
use super::requests::{Systemd, Written};
use super::runs::Run;

/// Longest output read. A line of journald's longest (48 KiB) is up to four times as much in JSON, when it is no UTF-8; the
/// newest come first, so what is cut off are older ones.
const OUTPUT_MAX: u64 = 512 * 1024;

/// Enough of what journalctl says when it fails.
const ERROR_MAX: u64 = 1024;

/// journalctl opens every journal file, which takes milliseconds warm and can take long cold.
const DEADLINE: Duration = Duration::from_secs(3);

/// Lines read beyond those asked for: what PID 1 says of the unit stands among them.
const OTHERS: u32 = 50;

/// Lines read of what a run said after its failure.
const LATER: u32 = 200;

/// How much later than it was written journald may have taken a line.
const SLACK: u64 = 1_000_000;

/// How exactly the time of a failure is known.
const ROUNDING: u64 = 5_000;

/// PID 1, whose words about a unit are not the unit's.
const INIT: &str = "1";

impl Systemd {
    /// The last `count` lines that `run` of the watched `unit` wrote until it failed, oldest first; when no run is named, those of
    /// the newest. What it said later, as when it was stopped for a restart, comes after them where they are fewer.
    pub async fn last_lines(
        &self,
        unit: &str,
        run: Option<&RunId>,
        failed: Timestamp,
        count: u32,
    ) -> Result<Vec<Vec<u8>>, LogError> {
        let mut written = self.runs(unit).await.unwrap_or_default();
        if written.id.is_empty() {
            unit.clone_into(&mut written.id);
        }
        let run = match run {
            Some(run) => written
                .runs
                .of(run.as_str())
                .cloned()
                .or_else(|| Some(Run::of_id(run.as_str()))),
            None => written.runs.newest().cloned(),
        };
        let wanted = Wanted {
            now: Now::read(),
            boot: boot_id(),
            run,
            failed,
            count: count as usize,
        };
        match tokio::time::timeout(DEADLINE, read(&written, wanted)).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(LogError::Late(DEADLINE)),
        }
    }

    /// The newest run of a watched unit that was seen, if any.
    pub async fn newest_run(&self, unit: &str) -> Option<RunId> {
        let written = self.runs(unit).await.ok()?;
        written.runs.newest().map(|run| RunId::from(run.id.clone()))
    }
}

/// The same moment by both clocks.
#[derive(Clone, Copy, Debug)]
struct Now {
    wall: Timestamp,
    /// Microseconds of `CLOCK_MONOTONIC`.
    monotonic: u64,
}

impl Now {
    fn read() -> Self {
        let monotonic = Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap_or_default();
        Self {
            wall: sentinel_base::clock::wall(),
            monotonic: u64::try_from(monotonic.as_micros()).unwrap_or(u64::MAX),
        }
    }

    fn monotonic_of(self, wall: Timestamp) -> u64 {
        let ago = self.wall.as_microsecond().saturating_sub(wall.as_microsecond());
        self.monotonic.saturating_add_signed(ago.saturating_neg())
    }

    /// As journalctl takes it, in seconds since the epoch.
    fn argument(self, monotonic: u64) -> String {
        let ago = i64::try_from(self.monotonic)
            .unwrap_or(i64::MAX)
            .saturating_sub(i64::try_from(monotonic).unwrap_or(i64::MAX));
        let micros = self.wall.as_microsecond().saturating_sub(ago).max(0);
        format!("@{}.{:06}", micros / 1_000_000, micros % 1_000_000)
    }
}

/// The kernel's id of this boot, as the journal writes it.
fn boot_id() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().replace('-', "")
}

/// What is looked for.
#[derive(Debug)]
struct Wanted {
    now: Now,
    boot: String,
    run: Option<Run>,
    failed: Timestamp,
    count: usize,
}

impl Wanted {
    /// Until when lines are those before the failure, in microseconds of `CLOCK_MONOTONIC`; and whether that was the end of the
    /// run. One that died has said its last words by then, or a little later; one that went on was stopped afterwards.
    fn until(&self) -> (u64, bool) {
        let failed = self.now.monotonic_of(self.failed);
        match &self.run {
            Some(run) if run.end != 0 && run.end <= failed.saturating_add(ROUNDING) => {
                let last = run.end.saturating_add(SLACK);
                (if run.next == 0 { last } else { last.min(run.next) }, true)
            }
            Some(run) if run.start != 0 => (failed, false),
            _ => (failed.saturating_add(SLACK), false),
        }
    }
}

async fn read(written: &Written, wanted: Wanted) -> Result<Vec<Vec<u8>>, LogError> {
    let (until, is_over) = wanted.until();
    let journal = Journal {
        unit: &written.id,
        namespace: &written.namespace,
    };
    // The words of whoever starts the main process name the unit, and may come before it is one of the unit's.
    let lines = journal
        .read(wanted.count.saturating_add(OTHERS as usize), |command| {
            command
                .arg(format!("--until={}", wanted.now.argument(until)))
                .arg(format!("_SYSTEMD_UNIT={}", written.id))
                .args(["+", "_UID=0"])
                .arg(format!("UNIT={}", written.id));
        })
        .await?;
    let run = match wanted.run {
        Some(run) => run,
        // Whoever wrote last.
        None => match lines.iter().find(|line| line.is_of_unit && !line.run.is_empty()) {
            Some(line) => Run::of_id(&line.run),
            None => return Ok(Vec::new()),
        },
    };
    let mut said = of_run(lines, &run, &wanted.boot, until, wanted.count);
    if said.len() < wanted.count && !is_over {
        let later = journal
            .read(LATER as usize, |command| {
                command
                    .arg(format!("--since={}", wanted.now.argument(until)))
                    .arg(format!("_SYSTEMD_UNIT={}", written.id))
                    .arg(format!("_SYSTEMD_INVOCATION_ID={}", run.id));
            })
            .await?;
        let later = later.into_iter().rev().filter(|line| line.at > until);
        said.extend(later.map(|line| line.message).take(wanted.count - said.len()));
    }
    Ok(said)
}

/// A unit's journal.
struct Journal<'a> {
    unit: &'a str,
    /// Empty for that of the host.
    namespace: &'a str,
}

impl Journal<'_> {
    /// At most `count` lines, newest first.
    async fn read(&self, count: usize, choose: impl FnOnce(&mut Command)) -> Result<Vec<Line>, LogError> {
        let mut command = Command::new("journalctl");
        command
            .args(["--output=json", "--all", "--no-pager", "--quiet", "--reverse"])
            .arg("--output-fields=MESSAGE,_SYSTEMD_UNIT,_SYSTEMD_INVOCATION_ID,INVOCATION_ID,_PID")
            .arg(format!("--lines={count}"));
        if !self.namespace.is_empty() {
            command.arg(format!("--namespace={}", self.namespace));
        }
        choose(&mut command);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(LogError::Run)?;
        // Both at once: a child that fills one pipe while the other is read would never end.
        let (output, error) = tokio::join!(
            up_to(child.stdout.take(), OUTPUT_MAX),
            up_to(child.stderr.take(), ERROR_MAX)
        );
        let status = child.wait().await.map_err(LogError::Wait)?;
        let lines = parse(&output, self.unit);
        if lines.is_empty() && !status.success() {
            let words = String::from_utf8_lossy(&error);
            let words = words.lines().next().unwrap_or("it failed without a word");
            return Err(LogError::Failed(words.to_owned()));
        }
        Ok(lines)
    }
}

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Default)]
struct Line {
    /// When journald took it, in microseconds of `CLOCK_MONOTONIC` of its boot; 0 when it does not say.
    at: u64,
    boot: String,
    /// The run that it names; empty when it names none.
    run: String,
    /// A process of the unit wrote it; otherwise it was root's, who named the unit.
    is_of_unit: bool,
    message: Vec<u8>,
}

/// The lines of journalctl's JSON, an object each. What is none, as one that was cut off, is left out, and so is what PID 1 says.
fn parse(output: &[u8], unit: &str) -> Vec<Line> {
    output
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Map<String, Value>>(line).ok())
        .filter_map(|mut fields| {
            let message = message(fields.remove("MESSAGE")?)?;
            let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
            if text("_PID") == INIT {
                return None;
            }
            let is_of_unit = text("_SYSTEMD_UNIT") == unit;
            // Who names a unit names its run, too; what journald adds is then about the writer.
            let run = if is_of_unit {
                "_SYSTEMD_INVOCATION_ID"
            } else {
                "INVOCATION_ID"
            };
            Some(Line {
                message,
                at: text("__MONOTONIC_TIMESTAMP").parse().unwrap_or_default(),
                boot: text("_BOOT_ID").to_owned(),
                run: text(run).to_owned(),
                is_of_unit,
            })
        })
        .collect()
}

/// Of `lines`, newest first, the last `count` of `run`, oldest first. A line that names no run is of this one when it was
/// written between its start and `until`, in this boot, and no other run has written since that start; in doubt it is left out.
fn of_run(lines: Vec<Line>, run: &Run, boot: &str, until: u64, count: usize) -> Vec<Vec<u8>> {
    let is_in_span = |line: &Line| run.start != 0 && line.boot == boot && (run.start..=until).contains(&line.at);
    let of_another = |line: &&Line| is_in_span(line) && !line.run.is_empty() && line.run != run.id;
    let another = lines
        .iter()
        .filter(of_another)
        .map(|line| line.at)
        .min()
        .unwrap_or(u64::MAX);
    let mut said: Vec<Vec<u8>> = lines
        .into_iter()
        .filter(|line| line.run == run.id || (line.run.is_empty() && is_in_span(line) && line.at < another))
        .map(|line| line.message)
        .take(count)
        .collect();
    said.reverse();
    said
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
        let messages: Vec<Vec<u8>> = parse(output.as_bytes(), "")
            .into_iter()
            .map(|line| line.message)
            .collect();
        assert_eq!(messages, expected);
    }

    #[test]
    fn a_list_in_a_list_in_a_list_ends() {
        let deep = format!("{{\"MESSAGE\":{}1{}}}", "[".repeat(100), "]".repeat(100));
        assert_eq!(parse(deep.as_bytes(), "")[0].message, [1]);
    }

    fn line(at: u64, run: &str, message: &str) -> Line {
        Line {
            at,
            boot: "boot".to_owned(),
            run: run.to_owned(),
            is_of_unit: true,
            message: message.into(),
        }
    }

    fn run(start: u64, end: u64, next: u64) -> Run {
        Run {
            start,
            end,
            next,
            ..Run::of_id("b")
        }
    }

    fn said(lines: Vec<Line>, run: &Run, until: u64, count: usize) -> Vec<String> {
        of_run(lines, run, "boot", until, count)
            .into_iter()
            .map(|line| String::from_utf8(line).unwrap())
            .collect()
    }

    #[test]
    fn lines_that_name_no_run_belong_to_the_one_in_whose_time_they_were_written() {
        let lines = || {
            vec![
                line(131, "", "after its end"),
                line(130, "", "last words"),
                line(120, "b", "two"),
                line(110, "", "one"),
                line(109, "a", "the run before, late"),
                line(99, "", "before its start"),
                line(98, "a", "the run before"),
            ]
        };
        // Between the start and what the run before still wrote nobody else may have.
        assert_eq!(said(lines(), &run(110, 129, 0), 130, 9), ["one", "two", "last words"]);
        assert_eq!(said(lines(), &run(110, 129, 0), 130, 2), ["two", "last words"]);
        // In doubt, it is none: another run wrote meanwhile, the start is not known, or it was another boot.
        assert_eq!(said(lines(), &run(100, 129, 0), 130, 9), ["two"]);
        assert_eq!(said(lines(), &run(0, 0, 0), 130, 9), ["two"]);
        let mut other_boot = lines();
        for line in &mut other_boot {
            line.boot = "another".to_owned();
        }
        assert_eq!(said(other_boot, &run(110, 129, 0), 130, 9), ["two"]);
        assert!(said(Vec::new(), &run(110, 129, 0), 130, 9).is_empty());
    }

    #[test]
    fn a_dead_run_is_over_at_its_end_and_a_living_one_at_its_failure() {
        const SECOND: u64 = 1_000_000;
        let now = Now {
            wall: Timestamp::from_second(1000).unwrap(),
            monotonic: 500 * SECOND,
        };
        let until = |run: Option<Run>| {
            let wanted = Wanted {
                now,
                boot: String::new(),
                run,
                failed: Timestamp::from_second(999).unwrap(),
                count: 9,
            };
            wanted.until()
        };
        let failed = 499 * SECOND;
        for (sentence, seen, expected) in [
            (
                "it died, and its last words may be late",
                run(1, 498 * SECOND, 0),
                (failed, true),
            ),
            (
                "the next one began at once",
                run(1, 498 * SECOND, 498 * SECOND + 1),
                (498 * SECOND + 1, true),
            ),
            ("it goes on", run(1, 0, 0), (failed, false)),
            (
                "it was stopped after its failure",
                run(1, failed + 20_000, failed + 30_000),
                (failed, false),
            ),
            ("when it started is not known", run(0, 0, 0), (failed + SLACK, false)),
        ] {
            assert_eq!(until(Some(seen)), expected, "{sentence}");
        }
        assert_eq!(until(None), (failed + SLACK, false));
        assert_eq!(now.argument(failed + 250_000), "@999.250000");
        assert_eq!(now.argument(0), "@500.000000");
    }

    #[test]
    fn whoever_wrote_a_line_is_reported_by_what_journald_says() {
        let output = [
            r#"{"MESSAGE":"of the unit","_SYSTEMD_UNIT":"a.service","_SYSTEMD_INVOCATION_ID":"r","INVOCATION_ID":"forged","__MONOTONIC_TIMESTAMP":"7","_BOOT_ID":"b","_PID":"9"}"#,
            r#"{"MESSAGE":"of whoever starts it","_SYSTEMD_UNIT":"init.scope","_SYSTEMD_INVOCATION_ID":"i","INVOCATION_ID":"r","_PID":"8"}"#,
            r#"{"MESSAGE":"of PID 1","_SYSTEMD_UNIT":"init.scope","INVOCATION_ID":"r","_PID":"1"}"#,
        ]
        .join("\n");
        let lines: Vec<_> = parse(output.as_bytes(), "a.service")
            .into_iter()
            .map(|line| (line.run, line.is_of_unit, line.at))
            .collect();
        assert_eq!(lines, [("r".to_owned(), true, 7), ("r".to_owned(), false, 0)]);
    }
}
