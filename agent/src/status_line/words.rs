//! The line in words.

use std::collections::BTreeMap;

use sentinel_engine::{Hold, ServiceSnapshot, State};
use sentinel_notify::heartbeat::HealthProblems;
use sentinel_text::{count, printable};

/// Most characters of the line: what a wide terminal shows.
const LINE_MAX: usize = 240;

/// Most services that are named; the rest are counted.
const NAMED_MAX: usize = 3;

/// Most receivers that are named.
const RECEIVERS_MAX: usize = 2;

/// Most characters of a name or a reason.
const WORDS_MAX: usize = 60;

/// How one service stands.
enum Standing {
    /// It counts among those with this word.
    Counted(&'static str),
    /// It is down, and named with what is being done about it.
    Down(String),
}

/// `12 services: 11 healthy, shop down (restarting, attempt 2)`, after what is wrong with the agent itself.
pub(super) fn line(services: &[ServiceSnapshot], problems: &HealthProblems) -> String {
    let problems = wrong(problems);
    let degraded = if problems.is_empty() {
        String::new()
    } else {
        format!("degraded: {}; ", problems.join(", "))
    };
    clip(&format!("{degraded}{}", standing(services)), LINE_MAX)
}

fn wrong(problems: &HealthProblems) -> Vec<String> {
    let mut all = Vec::new();
    if problems.store_failing {
        all.push("the store cannot be written, nothing is restarted".to_owned());
    }
    if let Some(why) = problems.unseen.values().next() {
        let (targets, why) = (problems.unseen.len(), clip(why, WORDS_MAX));
        all.push(format!("{} cannot be seen ({why})", count(targets, "target")));
    }
    for receiver in problems.receivers.iter().take(RECEIVERS_MAX) {
        all.push(format!("receiver {} failing", clip(receiver, WORDS_MAX)));
    }
    if let more @ 1.. = problems.receivers.len().saturating_sub(RECEIVERS_MAX) {
        all.push(format!("{} failing", count(more, "more receiver")));
    }
    all
}

fn standing(services: &[ServiceSnapshot]) -> String {
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    let mut down: Vec<(bool, &str, String)> = Vec::new();
    for service in services {
        match of(service) {
            Standing::Counted(word) => *counted.entry(word).or_default() += 1,
            Standing::Down(doing) => down.push((service.state != State::GaveUp, service.name.as_str(), doing)),
        }
    }
    // Whom an operator is called for stands first.
    down.sort();
    let total = services.len();
    let mut parts = Vec::new();
    let healthy = counted.remove(HEALTHY).unwrap_or_default();
    if healthy > 0 {
        parts.push(format!("{healthy} {HEALTHY}"));
    }
    for (_, name, doing) in down.iter().take(NAMED_MAX) {
        parts.push(format!("{} down ({doing})", clip(name, WORDS_MAX)));
    }
    if let more @ 1.. = down.len().saturating_sub(NAMED_MAX) {
        parts.push(format!("{more} more down"));
    }
    parts.extend(counted.iter().map(|(word, number)| format!("{number} {word}")));
    if parts.is_empty() {
        return "no services".to_owned();
    }
    format!("{}: {}", count(total, "service"), parts.join(", "))
}

const HEALTHY: &str = "healthy";

fn of(service: &ServiceSnapshot) -> Standing {
    let attempts = service.attempts;
    let attempt = |doing: &str| match attempts {
        0 => doing.to_owned(),
        _ => format!("{doing}, attempt {attempts}"),
    };
    Standing::Down(match service.state {
        State::Healthy => return Standing::Counted(HEALTHY),
        State::Suspect => return Standing::Counted("suspect"),
        State::Starting => return Standing::Counted("starting"),
        State::Stopped => return Standing::Counted("stopped"),
        State::Maintenance => return Standing::Counted("in maintenance"),
        State::Shutdown => return Standing::Counted("shutting down"),
        State::SupervisorBusy => return Standing::Counted("with their supervisor"),
        State::Unknown => return Standing::Counted("not known yet"),
        State::Down => "just now".to_owned(),
        State::Settling => "waiting for its supervisor to restart it first".to_owned(),
        State::Restarting => attempt("restarting"),
        State::Verifying => attempt("restarted, being verified"),
        State::GaveUp => "gave up, manual action needed".to_owned(),
        State::Suppressed | State::Backoff | State::Throttled | State::Held => held(service.hold.as_ref()),
    })
}

/// The hold in few words; `sentinel status` has all of them.
fn held(hold: Option<&Hold>) -> String {
    match hold {
        None => "held".to_owned(),
        Some(Hold::Dependency { name } | Hold::DependencySuspect { name }) => {
            format!("waiting for {}", clip(name, WORDS_MAX))
        }
        Some(Hold::Backoff | Hold::AfterSupervisor) => "waiting for the next attempt".to_owned(),
        Some(hold) => format!("held: {}", hold.kind().replace('_', " ")),
    }
}

/// At most `max` characters of `text`, on one line.
fn clip(text: &str, max: usize) -> String {
    let text = printable(text);
    if text.chars().count() <= max {
        return text.into_owned();
    }
    text.chars().take(max - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use sentinel_engine::{Mode, Time};

    use super::*;

    fn service(name: &str, state: State) -> ServiceSnapshot {
        ServiceSnapshot {
            name: name.into(),
            state,
            since: Time::ZERO,
            mode: Mode::Heal,
            hold: None,
            waiting: vec![],
            maintenance: vec![],
            target: String::new(),
            last_probe: None,
            unprobed: None,
            incident: None,
            incident_since: None,
            attempts: 0,
            attempts_left: 5,
            recoveries: 0,
            observed: (0, 0),
            flapping: None,
        }
    }

    fn said(services: &[ServiceSnapshot]) -> String {
        line(services, &HealthProblems::default())
    }

    #[test]
    fn the_line_counts_the_well_and_names_the_others() {
        assert_eq!(said(&[]), "no services");
        let mut all: Vec<_> = (0..11).map(|n| service(&format!("s{n}"), State::Healthy)).collect();
        assert_eq!(said(&all[..1]), "1 service: 1 healthy");
        let mut shop = service("shop", State::Restarting);
        shop.attempts = 2;
        all.push(shop);
        assert_eq!(said(&all), "12 services: 11 healthy, shop down (restarting, attempt 2)");
        all.push(service("db", State::GaveUp));
        all.push(service("off", State::Stopped));
        let mut held = service("web", State::Suppressed);
        held.hold = Some(Hold::Dependency { name: "db".to_owned() });
        all.push(held);
        assert_eq!(
            said(&all),
            "15 services: 11 healthy, db down (gave up, manual action needed), shop down (restarting, attempt 2), \
             web down (waiting for db), 1 stopped"
        );
        all.push(service("x", State::Down));
        assert!(said(&all).contains(", 1 more down, 1 stopped"), "{}", said(&all));
    }

    #[test]
    fn what_is_wrong_with_the_agent_stands_first() {
        let problems = HealthProblems {
            store_failing: true,
            unseen: [("a".into(), "cannot connect".to_owned()), ("b".into(), "x".to_owned())].into(),
            receivers: ["mail", "pager", "slack"].map(str::to_owned).to_vec(),
        };
        assert_eq!(
            line(&[service("a", State::Unknown)], &problems),
            "degraded: the store cannot be written, nothing is restarted, 2 targets cannot be seen (cannot connect), \
             receiver mail failing, receiver pager failing, 1 more receiver failing; 1 service: 1 not known yet"
        );
    }

    #[test]
    fn it_is_bounded_and_one_line_whatever_is_said() {
        let evil = "\n\u{1b}[2J".repeat(200);
        let problems = HealthProblems {
            unseen: [(evil.as_str().into(), evil.clone())].into(),
            receivers: vec![evil.clone(); 20],
            ..HealthProblems::default()
        };
        let all: Vec<_> = (0..1000)
            .map(|n| service(&format!("{n}{evil}"), State::GaveUp))
            .collect();
        let text = line(&all, &problems);
        assert!(text.chars().count() <= LINE_MAX, "{text}");
        assert!(!text.chars().any(char::is_control), "{text}");
        // What matters is not pushed out by reasons.
        assert!(text.contains("degraded"), "{text}");
    }
}
