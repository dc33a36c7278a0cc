//! Which packages changed on the host shortly before something failed, by the log of dpkg: an upgrade is a likely cause, and
//! the first thing that people ask for. Pure, but for [`recent`].

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Where dpkg, and with it apt, notes what it does. Other distributions have none.
const LOG: &str = "/var/log/dpkg.log";

/// The end of it that is read, as much as it takes to come to an hour before: at most a few thousand lines, more than an
/// upgrade of a whole host makes. On most days the first step is enough, and many incidents may ask at once.
const STEPS: [u64; 3] = [16 * 1024, 128 * 1024, 512 * 1024];

/// How long before a failure a change is worth reporting.
const RECENT: SignedDuration = SignedDuration::from_mins(60);

/// Changes named one by one, the last ones.
const NAMED: usize = 6;

/// What was changed in the hour before `failed`, a line each, the last first; empty when nothing was, or there is no such log.
///
/// # Errors
///
/// When the log cannot be read.
pub fn recent(failed: Timestamp) -> io::Result<Vec<String>> {
    let zone = TimeZone::system();
    match tail(Path::new(LOG), failed, &zone) {
        Ok(log) => Ok(reported(&log, failed, &zone)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn tail(path: &Path, failed: Timestamp, zone: &TimeZone) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut log = String::new();
    for step in STEPS {
        file.seek(SeekFrom::Start(length.saturating_sub(step)))?;
        let mut bytes = Vec::new();
        (&file).take(step).read_to_end(&mut bytes)?;
        log = String::from_utf8_lossy(&bytes).into_owned();
        // The first line may be the end of one.
        let first = log.lines().skip(1).find_map(|line| time(line, zone));
        if step >= length || first.is_some_and(|at| failed.duration_since(at) > RECENT) {
            break;
        }
    }
    Ok(log)
}

/// The changes that `log` has of the time before `failed`; its times are those of `zone`.
fn reported(log: &str, failed: Timestamp, zone: &TimeZone) -> Vec<String> {
    let recent = |line: &&str| {
        let at = time(line, zone)?;
        let before = failed.duration_since(at);
        (SignedDuration::ZERO <= before && before <= RECENT).then_some(before)
    };
    let changes = log
        .lines()
        .rev()
        .filter_map(|line| Some((change(line)?, recent(&line)?)));
    let (mut lines, mut more) = (Vec::new(), 0);
    for (change, before) in changes {
        if lines.len() < NAMED {
            lines.push(format!("{} before: {change}", minutes(before)));
        } else {
            more += 1;
        }
    }
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}

/// The time at the beginning of a line: `2026-11-28 10:00:00`.
fn time(line: &str, zone: &TimeZone) -> Option<Timestamp> {
    let at = DateTime::strptime("%Y-%m-%d %H:%M:%S", line.get(..19)?).ok()?;
    // An hour that a clock shows twice is taken for the first one.
    Some(at.to_zoned(zone.clone()).ok()?.timestamp())
}

/// What a line says was done to a package, in words. Most lines say how far dpkg is.
fn change(line: &str) -> Option<String> {
    let mut words = line.get(19..)?.split_ascii_whitespace();
    let (action, package) = (words.next()?, words.next()?);
    let (old, new) = (words.next()?, words.next()?);
    let name = package.split(':').next().unwrap_or(package);
    let mut text = String::new();
    match action {
        "upgrade" if old == new => write!(text, "{name} {new} was installed again"),
        "upgrade" => write!(text, "{name} was upgraded from {old} to {new}"),
        "install" => write!(text, "{name} {new} was installed"),
        "remove" | "purge" if old != "<none>" => write!(text, "{name} {old} was removed"),
        _ => return None,
    }
    .ok()?;
    Some(text)
}

fn minutes(before: SignedDuration) -> String {
    match before.as_mins() {
        0 => "less than a minute".to_owned(),
        1 => "1 minute".to_owned(),
        minutes => format!("{minutes} minutes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn changes_of_the_last_hour_are_reported_the_last_first() {
        let log = "\
            of a line that was cut\n\
            2026-11-28 08:59:59 upgrade old:amd64 1 2\n\
            2026-11-28 09:01:00 upgrade libssl3:amd64 3.0.11-1 3.0.15-1\n\
            2026-11-28 09:01:00 status half-configured libssl3:amd64 3.0.11-1\n\
            2026-11-28 09:01:01 status installed libssl3:amd64 3.0.15-1\n\
            2026-11-28 09:30:00 startup archives unpack\n\
            2026-11-28 09:30:00 install redis:all <none> 7.0\n\
            2026-11-28 09:58:00 remove nginx:amd64 1.22 <none>\n\
            2026-11-28 09:58:01 purge gone:amd64 <none> <none>\n\
            2026-11-28 09:59:30 upgrade shop:amd64 1.2 1.2\n\
            2026-11-28 10:00:01 upgrade later:amd64 1 2\n\
            2026-13-28 09:59:00 upgrade broken:amd64 1 2\n\
            2026-11-28 09:59:00\n\
            2026-11-28 09:59:00 upgrade\n\
            \n";
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        assert_eq!(
            reported(log, at("2026-11-28T09:00:00Z"), &zone),
            [
                "less than a minute before: shop 1.2 was installed again",
                "2 minutes before: nginx 1.22 was removed",
                "30 minutes before: redis 7.0 was installed",
                "59 minutes before: libssl3 was upgraded from 3.0.11-1 to 3.0.15-1",
            ]
        );
        assert!(reported(log, at("2026-11-29T09:00:00Z"), &zone).is_empty());
        assert!(reported("", at("2026-11-28T09:00:00Z"), &zone).is_empty());
    }

    #[test]
    fn an_upgrade_of_everything_is_reported_briefly() {
        let line = |n| format!("2026-11-28 09:00:00 upgrade lib{n}:amd64 1 2");
        let log = (0..500).map(line).collect::<Vec<_>>().join("\n");
        let reported = reported(&log, at("2026-11-28T09:10:00Z"), &TimeZone::UTC);
        assert_eq!(reported.len(), NAMED + 1);
        assert_eq!(reported[0], "10 minutes before: lib499 was upgraded from 1 to 2");
        assert_eq!(reported[NAMED], "and 494 more");
    }

    #[test]
    fn only_the_end_of_a_long_log_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("dpkg.log");
        let line = "2026-11-28 09:00:00 upgrade café:amd64 1 2\n";
        std::fs::write(&path, line.repeat(20_000)).unwrap();
        let failed = at("2026-11-28T09:10:00Z");
        let read = tail(&path, failed, &TimeZone::UTC).unwrap();
        assert!(
            read.len() as u64 <= STEPS[2] + 3 && read.ends_with(line),
            "{}",
            read.len()
        );
        assert!(tail(&directory.path().join("none"), failed, &TimeZone::UTC).is_err());
    }

    #[test]
    fn no_more_of_the_log_is_read_than_it_takes() {
        use std::io::Write as _;
        let failed = at("2026-11-28T10:00:00Z");
        let line = |time: &str| format!("2026-11-28 {time} status installed a-package-of-this-host:amd64 1.0\n");
        let old = line("08:00:00").repeat(20_000);
        for (recent, read) in [
            (10, 16 * 1024),
            (1_000, 128 * 1024),
            (5_000, 512 * 1024),
            (20_000, 512 * 1024),
        ] {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            write!(file, "{old}{}", line("09:30:00").repeat(recent)).unwrap();
            let tail = tail(file.path(), failed, &TimeZone::UTC).unwrap();
            assert_eq!(tail.len(), read, "{recent}");
        }
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(file, "{}", line("09:30:00").repeat(1_000)).unwrap();
        let whole = tail(file.path(), failed, &TimeZone::UTC).unwrap();
        assert_eq!(whole.lines().count(), 1_000, "there is no more");
    }
}
