//! A message as text: what Slack's fallback, the text part of a mail and the environment of a command share. Pure, and
//! the same each time for the same message.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sentinel_engine::{Outage, Starter};
use sentinel_text::span;
use sentinel_text::time::moment;

use super::ending::done;
use super::message::{Evidence, FailingProbe, Message, MessageData};

/// How long something goes on that is not over, when it is reported.
pub(super) const SO_FAR: &str = "So far";

/// What is told besides the first line where nothing else is shown: what is done about it, and what to do next.
pub(super) const BRIEF: [&str; 3] = ["Now", "Done", "More"];

/// A message in words, in the order in which it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The first line: host, service, what happened, and why.
    pub title: String,
    /// What else there is to say, by name.
    pub facts: Vec<(&'static str, String)>,
    /// The incidents of a combined message, a line each.
    pub members: Vec<String>,
    /// What was seen and done, a line each, with times.
    pub timeline: Vec<String>,
    /// What others said. It comes from outside and is to be fenced.
    pub evidence: Vec<Evidence>,
    /// Where to read more.
    pub url: Option<String>,
    /// Everything after the first line in the operator's own words. The parts above are empty then.
    pub written: Option<String>,
}

impl Text {
    /// `message` in words, with times of `zone`.
    pub fn of(message: &Message, zone: &TimeZone) -> Self {
        let data = &message.data;
        let title = if data.summary.is_empty() {
            format!("{}: {}", data.host, message.kind)
        } else {
            data.summary.clone()
        };
        let facts = if message.is_incident() {
            incident_facts(message, zone)
        } else {
            vec![
                ("Now", data.doing.clone()),
                ("Host", data.host.clone()),
                ("Time", moment(message.timestamp, zone)),
                ("More", next_step(data)),
            ]
        };
        Self {
            title,
            facts: facts.into_iter().filter(|(_, value)| !value.is_empty()).collect(),
            members: data
                .members
                .iter()
                .map(|member| match member.incident {
                    0 => member.summary.clone(),
                    incident => format!("{} (incident {incident})", member.summary),
                })
                .collect(),
            timeline: timeline(data, zone),
            evidence: data.evidence.clone(),
            url: data.url.clone(),
            written: None,
        }
    }

    /// What a template made: its first line is the title, the rest the body.
    pub fn written(rendered: &str) -> Self {
        let (title, body) = rendered.trim().split_once('\n').unwrap_or((rendered.trim(), ""));
        Self {
            title: title.trim().to_owned(),
            facts: Vec::new(),
            members: Vec::new(),
            timeline: Vec::new(),
            evidence: Vec::new(),
            url: None,
            written: Some(body.trim_matches('\n').to_owned()),
        }
    }

    /// Everything after the first line, as plain text: parts with an empty line between them, evidence indented.
    pub fn body(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        let widest = self.facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let facts = self
            .facts
            .iter()
            .map(|(name, value)| format!("{:widest$}  {value}", format!("{name}:"), widest = widest + 1));
        parts.push(facts.collect::<Vec<_>>().join("\n"));
        parts.push(
            self.members
                .iter()
                .map(|line| format!("* {line}"))
                .collect::<Vec<_>>()
                .join("\n"),
        );
        parts.push(self.timeline.join("\n"));
        for evidence in &self.evidence {
            let mut part = format!("{}:", evidence.title);
            for line in evidence.text.lines() {
                // Writing to a string cannot fail.
                let _ = write!(part, "\n    {line}");
            }
            parts.push(part);
        }
        parts.extend(self.url.clone());
        parts.extend(self.written.clone());
        parts.retain(|part| !part.is_empty());
        parts.join("\n\n")
    }

    /// What follows the first line where there is room for a few lines only, as in a notification.
    pub(super) fn brief(&self) -> impl Iterator<Item = String> {
        let facts = self.facts.iter().filter(|(name, _)| BRIEF.contains(name));
        facts
            .map(|(name, value)| format!("{name}: {value}"))
            .chain(self.url.clone())
            .chain(self.written.clone().filter(|written| !written.is_empty()))
    }

    /// All of it as plain text.
    pub fn whole(&self) -> String {
        match self.body() {
            body if body.is_empty() => self.title.clone(),
            body => format!("{}\n\n{body}", self.title),
        }
    }
}

/// Where to go from a message that is about no single incident; empty where it says so itself.
fn next_step(data: &MessageData) -> String {
    let command = match data.kind.as_str() {
        "group" | "digest" => "sentinel incidents",
        "store_failed" => "sentinel doctor",
        _ => return String::new(),
    };
    format!("{command}  (on {})", data.host)
}

fn incident_facts(message: &Message, zone: &TimeZone) -> Vec<(&'static str, String)> {
    let data = &message.data;
    let is_over = data.resolution.is_some() || data.kind == "flapping_ended";
    let done = match (data.attempts, data.resolution) {
        (attempts, Some(resolution)) => done(resolution, data.started_by, attempts),
        (0, None) => String::new(),
        (1, None) => "1 restart so far".to_owned(),
        (count, None) => format!("{count} restarts so far"),
    };
    let seconds = |seconds: Option<f64>| Duration::try_from_secs_f64(seconds?).ok();
    let outage = Outage {
        down: seconds(data.down_seconds),
        proved: seconds(data.proved_after_seconds),
        started_by: Starter::Unknown,
    };
    let lasted = seconds(data.duration_seconds)
        .or_else(|| Duration::try_from(message.timestamp.duration_since(data.opened_at)).ok())
        .map(span)
        .unwrap_or_default();
    let lasted = outage.lasted().unwrap_or(lasted);
    let often = match data.incidents_last_day {
        Some(count @ 2..) => format!("{count} incidents of {} in the last 24 hours", data.service),
        _ => String::new(),
    };
    let labels: Vec<String> = data
        .labels
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let now = match &data.failing {
        _ if is_over => String::new(),
        None => data.doing.clone(),
        Some(failing) => format!("{}; {}", since(failing, message.timestamp, zone), data.doing),
    };
    vec![
        ("Now", now),
        ("Done", done),
        ("Since", moment(data.opened_at, zone)),
        (if is_over { "Lasted" } else { SO_FAR }, lasted),
        ("Often", often),
        ("Severity", data.severity.as_str().to_owned()),
        ("Labels", labels.join(", ")),
        (
            "More",
            format!("sentinel incidents {}  (on {})", data.incident, data.host),
        ),
    ]
}

/// `404 since 14:02, before that 200`.
fn since(failing: &FailingProbe, reported: Timestamp, zone: &TimeZone) -> String {
    let (at, reported) = (failing.since.to_zoned(zone.clone()), reported.to_zoned(zone.clone()));
    let format = if at.date() == reported.date() {
        "%H:%M"
    } else {
        "%Y-%m-%d %H:%M"
    };
    let mut text = format!("{} since {}", failing.now, at.strftime(format));
    if let Some(before) = &failing.before {
        // Writing to a string cannot fail.
        let _ = write!(text, ", before that {before}");
    }
    text
}

fn timeline(data: &MessageData, zone: &TimeZone) -> Vec<String> {
    let begin = data.opened_at.to_zoned(zone.clone());
    let lines = || data.timeline.iter().map(|line| line.at.to_zoned(zone.clone()));
    // The night in which clocks are put back has an hour twice.
    let format = match (
        lines().any(|at| at.date() != begin.date()),
        lines().any(|at| at.offset() != begin.offset()),
    ) {
        (false, false) => "%H:%M:%S",
        (true, false) => "%Y-%m-%d %H:%M:%S",
        (false, true) => "%H:%M:%S %Z",
        (true, true) => "%Y-%m-%d %H:%M:%S %Z",
    };
    data.timeline
        .iter()
        .map(|line| format!("{}  {}", line.at.to_zoned(zone.clone()).strftime(format), line.text))
        .collect()
}

#[cfg(test)]
mod tests {
    use sentinel_engine::{Resolution, Severity};

    use super::super::Trouble;
    use super::super::message::{Member, TimelineLine};
    use super::*;
    use sentinel_store::Notice;

    fn berlin() -> TimeZone {
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
    }

    fn at(second: i64) -> Timestamp {
        // 2026-11-22 16:03:00 UTC
        Timestamp::from_second(1_795_363_380 + second).unwrap()
    }

    fn message() -> Message {
        let mut message = Message::about_alerts(
            "test",
            "web1",
            at(60),
            Severity::Warning,
            "web1: shop is down: killed by signal KILL",
        );
        message.kind = "incident.fired".to_owned();
        message.data.service = "shop".to_owned();
        message.data.incident = 7;
        message.data.opened_at = at(0);
        message.data.attempts = 2;
        message.data.doing = "verifying, attempt 2".to_owned();
        message.data.incidents_last_day = Some(3);
        message.data.labels.insert("team".to_owned(), "shop".to_owned());
        message.data.timeline = vec![
            TimelineLine::new(at(0), "killed by signal KILL"),
            TimelineLine::new(at(1), "start, attempt 1"),
        ];
        message.data.evidence = vec![Evidence::new("last probe", "connect: connection refused\nsecond line")];
        message
    }

    #[test]
    fn an_incident_reads_as_documented() {
        let expected = "\
web1: shop is down: killed by signal KILL

Now:       verifying, attempt 2
Done:      2 restarts so far
Since:     2026-11-22 17:03:00 CET (16:03:00 UTC)
So far:    1m
Often:     3 incidents of shop in the last 24 hours
Severity:  warning
Labels:    team=shop
More:      sentinel incidents 7  (on web1)

17:03:00  killed by signal KILL
17:03:01  start, attempt 1

last probe:
    connect: connection refused
    second line";
        assert_eq!(Text::of(&message(), &berlin()).whole(), expected);
    }

    #[test]
    fn only_what_is_over_has_lasted() {
        let mut over = message();
        over.data.resolution = Some(Resolution::Recovered);
        let mut calm = message();
        calm.data.kind = "flapping_ended".to_owned();
        for (message, name) in [(message(), "So far"), (over, "Lasted"), (calm, "Lasted")] {
            let facts = Text::of(&message, &TimeZone::UTC).facts;
            let lasted: Vec<_> = facts.iter().filter(|(_, value)| value == "1m").collect();
            assert_eq!(lasted, [&(name, "1m".to_owned())], "{}", message.data.kind);
        }
    }

    #[test]
    fn lines_say_which_day_and_by_which_clock_where_it_is_not_the_same() {
        let lines = |moments: [&str; 2]| {
            let [opened_at, later] = moments.map(|at| at.parse::<Timestamp>().unwrap());
            let mut message = message();
            message.data.opened_at = opened_at;
            message.data.timeline = vec![TimelineLine::new(opened_at, "down"), TimelineLine::new(later, "up")];
            Text::of(&message, &berlin()).timeline
        };
        let table = [
            (
                ["2026-06-01T10:00:00Z", "2026-06-01T10:00:09Z"],
                ["12:00:00  down", "12:00:09  up"],
            ),
            (
                ["2026-06-01T21:59:58Z", "2026-06-01T22:00:03Z"],
                ["2026-06-01 23:59:58  down", "2026-06-02 00:00:03  up"],
            ),
            // Clocks are put back at three, to two.
            (
                ["2026-10-25T00:50:00Z", "2026-10-25T01:10:00Z"],
                ["02:50:00 CEST  down", "02:10:00 CET  up"],
            ),
            (
                ["2026-10-24T20:00:00Z", "2026-10-25T01:10:00Z"],
                ["2026-10-24 22:00:00 CEST  down", "2026-10-25 02:10:00 CET  up"],
            ),
        ];
        for (moments, expected) in table {
            assert_eq!(lines(moments), expected);
        }
    }

    #[test]
    fn what_is_about_several_names_them() {
        let mut message =
            Message::about_alerts("group", "web1", at(0), Severity::Critical, "web1: 2 services are down");
        message.data.members = vec![
            Member::new(
                7,
                "shop",
                "fired",
                Severity::Warning,
                "shop is down: exited with code 1",
            ),
            Member::new(0, "", "note", Severity::Info, "and 5 more"),
        ];
        let expected = "\
web1: 2 services are down

Host:  web1
Time:  2026-11-22 16:03:00 UTC
More:  sentinel incidents  (on web1)

* shop is down: exited with code 1 (incident 7)
* and 5 more";
        assert_eq!(Text::of(&message, &TimeZone::UTC).whole(), expected);
    }

    #[test]
    fn what_is_about_no_incident_says_what_becomes_of_it() {
        let message = Message::about_store("web1", Some("full"), at(0));
        let expected = "\
web1: the agent cannot record what it decides, so it restarts nothing: full

Now:   urgent alerts come from memory; the others when the store can be written again
Host:  web1
Time:  2026-11-22 16:03:00 UTC
More:  sentinel doctor  (on web1)";
        assert_eq!(Text::of(&message, &TimeZone::UTC).whole(), expected);
    }

    #[test]
    fn a_few_lines_report_what_is_done_and_what_to_do_next() {
        let group = Message::group("web1", &[message(), message()], at(0));
        let digest = Message::digest("web1", &[message()], &[], at(0), &TimeZone::UTC);
        let store = Message::about_store("web1", Some("full"), at(0));
        let trouble = Trouble {
            since: None,
            asked: Duration::ZERO,
            waiting: 3,
            error: "refused",
        };
        let stuck = Message::about_receiver(Notice::Stuck, "web1", "chat", &trouble, at(0));
        let next_steps = [
            (message(), "More: sentinel incidents 7  (on web1)"),
            (group, "More: sentinel incidents  (on web1)"),
            (digest, "More: sentinel incidents  (on web1)"),
            (store, "More: sentinel doctor  (on web1)"),
            (stuck, "Now: see `sentinel alerts queue`"),
        ];
        for (message, expected) in next_steps {
            let text = Text::of(&message, &TimeZone::UTC);
            assert!(text.brief().any(|line| line == expected), "{}", message.kind);
        }
        let lines: Vec<String> = Text::of(&message(), &TimeZone::UTC).brief().collect();
        assert_eq!(lines[0], "Now: verifying, attempt 2");
        assert_eq!(lines[1], "Done: 2 restarts so far");
        let written: Vec<String> = Text::written("title\nwhat the template says").brief().collect();
        assert_eq!(written, ["what the template says"]);
    }

    #[test]
    fn an_unknown_kind_is_reported_by_its_summary() {
        let mut message = Message::about_alerts("x", "web1", at(0), Severity::Info, "something new");
        message.kind = "weather.rain".to_owned();
        assert_eq!(Text::of(&message, &TimeZone::UTC).title, "something new");
        message.data.summary.clear();
        assert_eq!(Text::of(&message, &TimeZone::UTC).title, "web1: weather.rain");
    }

    #[test]
    fn times_name_the_other_day_where_it_is_one() {
        let late = Timestamp::from_second(1_795_390_200).unwrap();
        let table = [
            (at(0), TimeZone::UTC, "2026-11-22 16:03:00 UTC"),
            (late, berlin(), "2026-11-23 00:30:00 CET (2026-11-22 23:30:00 UTC)"),
        ];
        for (at, zone, expected) in table {
            assert_eq!(moment(at, &zone), expected);
        }
    }

    #[test]
    fn a_payload_that_cannot_be_read_is_reported_of() {
        let message = Message::from_payload(b"1/1", "fired", at(0));
        let text = Text::of(&message, &TimeZone::UTC).whole();
        assert!(text.contains("cannot read"), "{text}");
        assert_eq!(Message::from_payload(&message.payload(), "fired", at(0)), message);
    }
}
