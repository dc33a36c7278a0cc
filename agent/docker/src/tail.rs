//! The last lines that a run of a container wrote, as far as its log driver can give them back.

use std::time::Duration;

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::client::Client;
use super::error::CallError;

/// Longest log kept while it is read: the Engine does not cut lines.
const OUTPUT_MAX: usize = 512 * 1024;

/// Lines read beyond those asked for, as the Engine counts from the end of the log, and the next run may have begun.
const NEXT_RUN: u32 = 200;

/// What a name of a container may have beside letters and digits. A proxy knows names as they are.
const NAME: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// The Engine looks for the end of the log and goes back from there.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// The last `count` lines that `container` wrote from `since` to `until`, oldest first. Its log is one for all of its runs,
/// so it takes both times to distinguish one run from the others.
pub(super) async fn last_lines(
    client: &Client,
    container: &str,
    (since, until): (Timestamp, Timestamp),
    count: u32,
) -> Result<Vec<Vec<u8>>, CallError> {
    let tail = count.saturating_add(NEXT_RUN);
    let container = utf8_percent_encode(container, &NAME);
    let path = format!("/containers/{container}/logs?stdout=true&stderr=true&timestamps=true&tail={tail}");
    let collected = async { client.open(&path).await?.log(OUTPUT_MAX).await };
    let written = client.ask(ANSWER_WITHIN, collected).await?;
    Ok(lines(&written, (since, until), count))
}

/// The last lines of what was written in that time. Each begins with its time, as the Engine was asked for it.
pub(super) fn lines(written: &[u8], (since, until): (Timestamp, Timestamp), count: u32) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = written
        .split(|byte| *byte == b'\n')
        .rev()
        .filter_map(|line| {
            let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
            let (time, said) = line.split_at(end);
            let at: Timestamp = std::str::from_utf8(time).ok()?.parse().ok()?;
            (since..=until)
                .contains(&at)
                .then(|| said.get(1..).unwrap_or_default().to_vec())
        })
        .take(count as usize)
        .collect();
    lines.reverse();
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_363_380 + second).unwrap()
    }

    #[test]
    fn lines_of_one_run_are_counted_from_its_end() {
        let written = [
            format!("{} the run before\n", at(0)),
            format!("{} one\n", at(10)),
            format!("{} two with spaces\n", at(11)),
            format!("{}\n", at(12)),
            format!("{} \n", at(12)),
            "no time\n\u{fffd}\n".to_owned(),
            format!("{} the next run\n", at(20)),
        ]
        .concat();
        let said = |count| {
            let lines = lines(written.as_bytes(), (at(5), at(15)), count);
            lines
                .into_iter()
                .map(|line| String::from_utf8(line).unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(said(9), ["one", "two with spaces", "", ""]);
        assert_eq!(said(3), ["two with spaces", "", ""]);
        assert_eq!(said(0), Vec::<String>::new());
        assert!(lines(b"", (at(0), at(9)), 9).is_empty());
    }
}
