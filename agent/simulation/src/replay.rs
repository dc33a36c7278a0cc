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

use sentinel_engine::{Cause, HOST, ProbePhase, ServiceName, Time};
use sentinel_text::exact_span;

use crate::policies::Policies;

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
    pub opened: Time,
    /// When it was over, and how.
    pub closed: Option<(Time, PastEnd)>,
    /// The agent's restarts, oldest first: when, and whether it helped.
    pub attempts: Vec<(Time, bool)>,
}

/// How an incident ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PastEnd {
    /// The service was healthy again.
    Healthy,
    /// An operator stopped it.
    Stopped,
    /// The agent did not watch it any more.
    Unknown,
}

/// One line of the scenario: when, in which order at that moment, and what.
type Step = (Time, String);

/// The scenario of `pasts`, as TOML. `policies` are those of that time: they say how long trouble lasted before it
/// counted. `wall` writes a moment. Empty when there is nothing to play.
pub fn scenario(pasts: &[Past], policies: &Policies, wall: impl Fn(Time) -> String) -> String {
    let mut pasts: Vec<&Past> = pasts.iter().filter(|past| past.service.as_str() != HOST).collect();
    pasts.sort_by_key(|past| (past.opened, past.id));
    let begins: Vec<Time> = pasts.iter().map(|past| begin(past, policies)).collect();
    let (Some(first), Some(last)) = (begins.iter().min(), pasts.iter().map(|past| end(past)).max()) else {
        return String::new();
    };
    let origin = first.back(LEAD);
    let mut steps: Vec<Step> = Vec::new();
    let mut stopped: BTreeMap<&ServiceName, bool> = BTreeMap::new();
    for (past, begin) in pasts.iter().zip(&begins) {
        if stopped.insert(&past.service, ended(past) == Some(PastEnd::Stopped)) == Some(true) {
            // Somebody must have, or it could not have failed again.
            steps.push((begin.back(Duration::from_secs(1)), line("start", &past.service)));
        }
        trouble(past, *begin, &mut steps);
    }
    // Stable: what belongs together stays in its order.
    steps.sort_by_key(|(at, _)| *at);
    render(&pasts, &wall(origin), &span(origin, last + TAIL), &steps, origin)
}

fn render(pasts: &[&Past], from: &str, duration: &str, steps: &[Step], origin: Time) -> String {
    let mut services: Vec<&ServiceName> = pasts.iter().map(|past| &past.service).collect();
    services.sort();
    services.dedup();
    let ids: Vec<String> = pasts.iter().map(|past| past.id.to_string()).collect();
    let about = match (ids.first(), ids.last()) {
        (Some(first), Some(last)) if ids.len() > 1 => format!("Incidents {first} to {last}"),
        _ => format!("Incident {}", ids.concat()),
    };
    let mut text = format!("about = \"{about}, from {from}\"\nduration = \"{duration}\"\n");
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
fn trouble(past: &Past, begin: Time, steps: &mut Vec<Step>) {
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
    let over = closed.back(past.opened.since(begin)).max(begin);
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
fn begin(past: &Past, policies: &Policies) -> Time {
    if runs(&past.cause) {
        past.opened.back(policies.policy(&past.service).detection())
    } else {
        past.opened
    }
}

/// The last that is known of it.
fn end(past: &Past) -> Time {
    let acted = past.attempts.last().map_or(past.opened, |(at, _)| *at);
    match past.closed {
        Some((closed, _)) => closed.max(acted),
        None => acted + ENDLESS,
    }
}

fn ended(past: &Past) -> Option<PastEnd> {
    past.closed.map(|(_, end)| end)
}

fn halfway(earlier: Time, later: Time) -> Time {
    earlier + later.since(earlier) / 2
}

/// The same to the millisecond, as a scenario writes it.
fn span(from: Time, to: Time) -> String {
    let millis = u64::try_from(to.since(from).as_millis()).unwrap_or(u64::MAX);
    exact_span(Duration::from_millis(millis))
}
