//! From incidents as history tells them to a scenario that can be played under another policy.
//!
//! History knows when a service was down and which restarts helped, not what would have been. The scenario rests on these
//! guesses, which are the least that explain what was seen:
//!
//! * Trouble begins as long before the incident as the policy of that time needs to see it, and keeps its length.
//! * When the first restart helped, or none was tried, any restart would have helped, at any time.
//! * When a later one helped, what was wrong passed halfway between the last one that did not and the one that did.
//! * When none helped and it came back all the same, nothing would have helped before it did.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use sentinel_engine::{Cause, HOST, ProbePhase, ServiceName};
use sentinel_text::exact_span;

use super::policies::Policies;

/// How long everything runs well before the first trouble.
const LEAD: Duration = Duration::from_secs(2 * 60);

/// How much is played after the last that is known: what follows from it, such as being forgiven, takes ten minutes.
const TAIL: Duration = Duration::from_secs(15 * 60);

/// How much is played of trouble that history does not see the end of.
const ENDLESS: Duration = Duration::from_secs(60 * 60);

/// How long a run lives that a restart began in vain.
const SHORT_LIFE: &str = "1s";

/// An incident as history tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// Its number.
    pub id: u64,
    /// The service.
    pub service: ServiceName,
    /// Why it was down.
    pub cause: Cause,
    /// When it was down for certain.
    pub opened: Timestamp,
    /// When it was over, and how.
    pub closed: Option<(Timestamp, PastEnd)>,
    /// The agent's restarts, oldest first: when, and whether it helped.
    pub attempts: Vec<(Timestamp, bool)>,
}

/// How an incident ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PastEnd {
    /// The service was healthy again.
    Healthy,
    /// Somebody stopped it.
    Stopped,
    /// Nobody watched it any more.
    Unknown,
}

/// One line of the scenario: when, in which order at that moment, and what.
type Step = (Timestamp, String);

/// The scenario of `pasts`, as TOML. `policies` are those of that time: they say how long trouble lasted before it
/// counted. Empty when there is nothing to play.
pub fn scenario(pasts: &[Past], policies: &Policies) -> String {
    let mut pasts: Vec<&Past> = pasts.iter().filter(|past| past.service.as_str() != HOST).collect();
    pasts.sort_by_key(|past| (past.opened, past.id));
    let begins: Vec<Timestamp> = pasts.iter().map(|past| begin(past, policies)).collect();
    let (Some(first), Some(last)) = (begins.iter().min(), pasts.iter().map(|past| end(past)).max()) else {
        return String::new();
    };
    let origin = minus(*first, LEAD);
    let mut steps: Vec<Step> = Vec::new();
    let mut stopped: BTreeMap<&ServiceName, bool> = BTreeMap::new();
    for (past, begin) in pasts.iter().zip(&begins) {
        if stopped.insert(&past.service, ended(past) == Some(PastEnd::Stopped)) == Some(true) {
            // Somebody must have, or it could not have failed again.
            steps.push((minus(*begin, Duration::from_secs(1)), line("start", &past.service)));
        }
        trouble(past, *begin, &mut steps);
    }
    // Stable: what belongs together stays in its order.
    steps.sort_by_key(|(at, _)| *at);
    render(&pasts, origin, last, &steps)
}

fn render(pasts: &[&Past], origin: Timestamp, last: Timestamp, steps: &[Step]) -> String {
    let mut services: Vec<&ServiceName> = pasts.iter().map(|past| &past.service).collect();
    services.sort();
    services.dedup();
    let ids: Vec<String> = pasts.iter().map(|past| past.id.to_string()).collect();
    let about = match (ids.first(), ids.last()) {
        (Some(first), Some(last)) if ids.len() > 1 => format!("Incidents {first} to {last}"),
        _ => format!("Incident {}", ids.concat()),
    };
    let mut text = format!(
        "about = \"{about}, from {}\"\nduration = \"{}\"\n",
        origin.strftime("%Y-%m-%d %H:%M:%SZ"),
        span(origin, last + TAIL)
    );
    for service in services {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n[services.\"{service}\"]\n");
    }
    for (at, what) in steps {
        let _ = write!(text, "\n[[events]]\nat = \"{}\"\n{what}\n", span(origin, *at));
    }
    text
}

/// What happens in one incident.
fn trouble(past: &Past, begin: Timestamp, steps: &mut Vec<Step>) {
    let service = &past.service;
    let runs = runs(&past.cause);
    let helped = past.attempts.iter().position(|(_, helped)| *helped);
    let is_curable = past.attempts.is_empty() || helped == Some(0);
    if !is_curable {
        let how = if runs {
            "how = \"deaf\"".to_owned()
        } else {
            format!("dies_after = \"{SHORT_LIFE}\"")
        };
        steps.push((begin, format!("starts = {{ service = \"{service}\", {how} }}")));
    }
    steps.push((begin, fault(past)));
    if let Some(index) = helped.filter(|index| *index > 0)
        && let (Some((before, _)), Some((cure, _))) = (past.attempts.get(index - 1), past.attempts.get(index))
    {
        steps.push((halfway(*before, *cure), line("fix", service)));
        return;
    }
    let Some((closed, end)) = past.closed else { return };
    // It was seen to be over as much later as it was seen to begin.
    let over = minus(closed, elapsed(begin, past.opened)).max(begin);
    match end {
        PastEnd::Healthy if helped.is_none() => {
            steps.push((over, line("fix", service)));
            steps.push((over, line(if runs { "answer" } else { "start" }, service)));
        }
        PastEnd::Stopped => {
            steps.push((closed, line("stop", service)));
            steps.push((closed, line("fix", service)));
        }
        PastEnd::Healthy | PastEnd::Unknown => {}
    }
}

/// What was wrong.
fn fault(past: &Past) -> String {
    let service = &past.service;
    match &past.cause {
        Cause::Exited { code } => {
            let code = (*code).clamp(0, 255);
            format!("exit = {{ service = \"{service}\", code = {code} }}")
        }
        Cause::Probe(failure) if failure.phase == ProbePhase::Status => {
            // The cause has it in words only.
            let status = failure
                .detail
                .split(|letter: char| !letter.is_ascii_digit())
                .find_map(|word| word.parse().ok().filter(|status| (300..600).contains(status)));
            format!(
                "fail = {{ service = \"{service}\", status = {} }}",
                status.unwrap_or(500_u16)
            )
        }
        cause if runs(cause) => line("hang", service),
        _ => line("kill", service),
    }
}

fn line(word: &str, service: &ServiceName) -> String {
    format!("{word} = \"{service}\"")
}

/// Whether a process runs in this kind of trouble; of a process without a supervisor it is not known why it died.
const fn runs(cause: &Cause) -> bool {
    matches!(
        cause,
        Cause::Probe(_) | Cause::NeverPassed { .. } | Cause::Unhealthy { .. }
    )
}

/// When the trouble began that led to this incident.
fn begin(past: &Past, policies: &Policies) -> Timestamp {
    if runs(&past.cause) {
        minus(past.opened, policies.policy(&past.service).detection())
    } else {
        past.opened
    }
}

/// The last that is known of it.
fn end(past: &Past) -> Timestamp {
    let acted = past.attempts.last().map_or(past.opened, |(at, _)| *at);
    match past.closed {
        Some((closed, _)) => closed.max(acted),
        None => acted + ENDLESS,
    }
}

fn ended(past: &Past) -> Option<PastEnd> {
    past.closed.map(|(_, end)| end)
}

fn halfway(earlier: Timestamp, later: Timestamp) -> Timestamp {
    earlier + elapsed(earlier, later) / 2
}

fn minus(at: Timestamp, span: Duration) -> Timestamp {
    at.checked_sub(span).unwrap_or(at)
}

/// From one moment to the other; nothing when a clock that was set back makes it negative.
fn elapsed(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

/// The same to the millisecond, as a scenario writes it.
fn span(from: Timestamp, to: Timestamp) -> String {
    let millis = u64::try_from(elapsed(from, to).as_millis()).unwrap_or(u64::MAX);
    exact_span(Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use sentinel_engine::{FailureKind, ProbeFailure};

    use super::super::{Scenario, run};
    use super::*;

    /// This many seconds into an arbitrary day.
    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_900_000_000 + seconds).unwrap()
    }

    fn killed(id: u64, opened: i64, closed: i64, attempts: &[(i64, bool)]) -> Past {
        Past {
            id,
            service: "shop".into(),
            cause: Cause::Killed {
                signal: 9,
                core_dumped: false,
            },
            opened: at(opened),
            closed: Some((at(closed), PastEnd::Healthy)),
            attempts: attempts.iter().map(|(second, helped)| (at(*second), *helped)).collect(),
        }
    }

    fn hung(past: Past) -> Past {
        let failure = ProbeFailure::new(FailureKind::Timeout, "no answer within 3s");
        Past {
            cause: Cause::Probe(failure),
            ..past
        }
    }

    /// `AT WHAT` of every event, and (restarts, kinds of messages) of the play.
    fn play(pasts: &[Past]) -> (Vec<String>, usize, Vec<&'static str>) {
        let policies = Policies::default();
        let text = scenario(pasts, &policies);
        let events = text
            .split("[[events]]\nat = ")
            .skip(1)
            .map(|event| event.trim().replace('\n', " "))
            .collect();
        let scenario = Scenario::read("replay", &text).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
        let outcome = run(&scenario, &policies).unwrap();
        let messages = outcome.summary.rows.iter().flat_map(|row| row.messages.clone());
        (events, outcome.summary.restarts(), messages.collect())
    }

    #[test]
    fn a_crash_that_the_first_restart_healed() {
        let (events, restarts, messages) = play(&[killed(7, 0, 20, &[(0, true)])]);
        assert_eq!(events, ["\"2m\" kill = \"shop\""]);
        assert_eq!((restarts, &messages[..]), (1, &["healed"][..]));
    }

    #[test]
    fn a_crash_that_the_third_restart_healed_takes_three_again() {
        let (events, restarts, _) = play(&[killed(7, 0, 80, &[(0, false), (12, false), (40, true)])]);
        assert_eq!(
            events,
            [
                "\"2m\" starts = { service = \"shop\", dies_after = \"1s\" }",
                "\"2m\" kill = \"shop\"",
                "\"2m26s\" fix = \"shop\"",
            ]
        );
        assert_eq!(restarts, 3);
    }

    #[test]
    fn a_hang_begins_before_it_counts() {
        let (events, restarts, messages) = play(&[hung(killed(7, 0, 30, &[(0, true)]))]);
        assert_eq!(
            events,
            ["\"2m\" hang = \"shop\""],
            "the lead ends where the trouble begins"
        );
        assert_eq!((restarts, &messages[..]), (1, &["healed"][..]));
    }

    #[test]
    fn what_no_restart_helped_comes_back_when_it_did() {
        let (events, restarts, messages) = play(&[hung(killed(7, 0, 600, &[(0, false), (70, false)]))]);
        assert_eq!(
            events,
            [
                "\"2m\" starts = { service = \"shop\", how = \"deaf\" }",
                "\"2m\" hang = \"shop\"",
                "\"12m\" fix = \"shop\"",
                "\"12m\" answer = \"shop\"",
            ]
        );
        assert!(restarts > 1);
        assert_eq!(messages.last(), Some(&"resolved"));
    }

    #[test]
    fn what_was_stopped_is_started_before_it_fails_again() {
        let first = Past {
            closed: Some((at(30), PastEnd::Stopped)),
            ..killed(7, 0, 30, &[(0, false)])
        };
        let (events, ..) = play(&[killed(8, 300, 320, &[(300, true)]), first]);
        assert_eq!(
            events[2..],
            [
                "\"2m30s\" stop = \"shop\"",
                "\"2m30s\" fix = \"shop\"",
                "\"6m59s\" start = \"shop\"",
                "\"7m\" kill = \"shop\"",
            ]
        );
    }

    #[test]
    fn the_status_and_the_exit_code_are_the_same() {
        let status = ProbeFailure::new(FailureKind::Status(503), "status 503");
        let wrong = Past {
            cause: Cause::Probe(status),
            ..killed(7, 0, 20, &[(0, true)])
        };
        assert_eq!(fault(&wrong), "fail = { service = \"shop\", status = 503 }");
        let exited = Past {
            cause: Cause::Exited { code: 0 },
            ..killed(7, 0, 20, &[(0, true)])
        };
        assert_eq!(fault(&exited), "exit = { service = \"shop\", code = 0 }");
    }

    #[test]
    fn what_never_ended_is_played_on_and_the_host_is_nobody() {
        let open = Past {
            closed: None,
            ..killed(7, 0, 0, &[(0, false)])
        };
        let (_, restarts, messages) = play(&[open]);
        assert!(
            restarts >= 5 && messages.contains(&"gave_up"),
            "{restarts} {messages:?}"
        );
        let host = Past {
            service: HOST.into(),
            ..killed(7, 0, 20, &[])
        };
        assert_eq!(scenario(&[host], &Policies::default()), "");
        assert_eq!(scenario(&[], &Policies::default()), "");
    }

    #[test]
    fn clocks_that_were_set_back_do_no_harm() {
        let (events, ..) = play(&[killed(7, 100, 0, &[(90, false), (50, true)])]);
        assert_eq!(events.len(), 3);
    }
}
