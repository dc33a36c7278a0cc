//! `[alerts]`: defaults, routes and escalations, and routes that are probably not meant.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sentinel_engine::alerting::{Escalation, Match, Route, Rules, Subject, Verdict};
use sentinel_engine::{HOST, Severity};

use super::default_notify_after;
use crate::findings::{Findings, join};
use crate::inputs::{AlertsInput, EscalationInput, MatchInput, RouteInput};
use crate::pattern::matches;
use crate::schema::nearest;
use crate::settings::{AlertSettings, ServiceSettings};
use crate::template::Link;

/// How long the first message of an incident waits for others.
pub const GROUP_WAIT: Duration = Duration::from_secs(10);

/// How often a reminder is sent.
pub const REPEAT_INTERVAL: Duration = Duration::from_secs(4 * 60 * 60);

/// `names` are those of all receivers.
pub(super) fn settings(input: AlertsInput, names: &[String], findings: &mut Findings) -> AlertSettings {
    if let Some(chosen) = &input.receivers {
        check_receivers("alerts.receivers", chosen, names, findings);
        if chosen.is_empty() && !names.is_empty() && input.routes.is_empty() {
            findings.warn("alerts.receivers", "is empty: no receiver is notified");
        }
    }
    let link = input.link.as_deref().and_then(|text| link(text, findings));
    let mut receivers = input.receivers.unwrap_or_else(|| names.to_vec());
    receivers.sort();
    receivers.dedup();
    let routes = input.routes.into_iter();
    let routes = routes.map(|(place, route)| self::route(&path("routes", &place), route, names, findings));
    let routes = routes.collect();
    let escalations = input.escalations.into_iter();
    let escalations =
        escalations.filter_map(|(place, input)| escalation(&path("escalations", &place), input, names, findings));
    AlertSettings {
        notify_after: input.notify_after.unwrap_or_else(default_notify_after),
        rules: Rules {
            receivers: names.iter().cloned().collect(),
            routes,
            default: receivers.clone(),
            group_wait: input.group_wait.unwrap_or(GROUP_WAIT),
            repeat_interval: input.repeat_interval.map_or(Some(REPEAT_INTERVAL), |repeat| repeat.0),
            escalations: escalations.collect(),
        },
        receivers,
        link,
    }
}

/// A link that can be made. Whether a label holds an address shows when there is a message.
fn link(text: &str, findings: &mut Findings) -> Option<Arc<Link>> {
    match crate::template::link(text) {
        Ok((link, note)) => {
            if let Some(note) = note {
                findings.warn("alerts.link", note);
            }
            Some(Arc::new(link))
        }
        Err(reason) => {
            findings.wrong("alerts.link", reason);
            None
        }
    }
}

/// The path of a table by its place among all sources.
fn path(list: &str, place: &str) -> String {
    let place = place.trim_start_matches('0');
    format!("alerts.{list}[{}]", if place.is_empty() { "0" } else { place })
}

fn check_receivers(key: &str, chosen: &[String], names: &[String], findings: &mut Findings) {
    for (index, name) in chosen.iter().enumerate().filter(|(_, name)| !names.contains(name)) {
        let key = format!("{key}[{index}]");
        let suggestion = nearest(name, names.iter().map(String::as_str)).map(str::to_owned);
        let message = format!("there is no [receivers.{name}]");
        findings.wrong_at(findings.place_of(&key), &key, message, suggestion);
    }
}

/// The receivers of a route or an escalation, which must be there.
fn receivers(path: &str, chosen: Option<Vec<String>>, names: &[String], findings: &mut Findings) -> Vec<String> {
    let key = join(path, "receivers");
    match &chosen {
        Some(chosen) => check_receivers(&key, chosen, names, findings),
        None if findings.is_bad(path) => {}
        None => findings.wrong(path, "does not name the receivers to notify; add `receivers`"),
    }
    chosen.unwrap_or_default()
}

fn route(path: &str, input: RouteInput, names: &[String], findings: &mut Findings) -> Route {
    Route {
        matches: filter(&join(path, "match"), input.matches, findings),
        receivers: receivers(path, input.receivers, names, findings),
        go_on: input.go_on,
    }
}

fn escalation(path: &str, input: EscalationInput, names: &[String], findings: &mut Findings) -> Option<Escalation> {
    let receivers = receivers(path, input.receivers, names, findings);
    if receivers.is_empty() && findings.has(&join(path, "receivers")) && !findings.is_bad(path) {
        findings.wrong(
            &join(path, "receivers"),
            "is empty: an escalation that notifies no receiver",
        );
    }
    if input.after.is_none() && !findings.is_bad(path) {
        findings.wrong(path, "does not say when; add `after`");
    }
    Some(Escalation {
        matches: filter(&join(path, "match"), input.matches, findings),
        after: input.after?,
        receivers,
    })
}

fn filter(path: &str, input: MatchInput, findings: &mut Findings) -> Match {
    let lists = [
        ("service", input.service.as_ref().map(Vec::len)),
        ("severity", input.severity.as_ref().map(Vec::len)),
        ("kind", input.kind.as_ref().map(Vec::len)),
    ];
    for (name, length) in lists {
        let key = join(path, name);
        if length == Some(0) && !findings.is_bad(&key) {
            findings.wrong(&key, "is empty; leave it out to let everything fit");
        }
    }
    Match {
        services: input.service.unwrap_or_default(),
        severities: input.severity.unwrap_or_default(),
        kinds: input.kind.unwrap_or_default(),
        labels: input.label,
    }
}

/// Names no service has are slips; patterns that fit none, and routes that no message ever reaches, are odd. `names`
/// are those of all services, disabled ones included.
pub(super) fn check_routes(rules: &Rules, names: &[String], services: &[ServiceSettings], findings: &mut Findings) {
    let routes = rules.routes.iter().map(|route| &route.matches).enumerate();
    let routes = routes.map(|(index, matches)| (format!("alerts.routes[{index}]"), matches));
    let escalations = rules
        .escalations
        .iter()
        .map(|escalation| &escalation.matches)
        .enumerate();
    let escalations = escalations.map(|(index, matches)| (format!("alerts.escalations[{index}]"), matches));
    for (path, filter) in routes.chain(escalations) {
        for pattern in &filter.services {
            check_pattern(&format!("{path}.match.service"), pattern, names, findings);
        }
    }
    let reach = reach(rules, services);
    for (index, reach) in reach.iter().enumerate() {
        let path = format!("alerts.routes[{index}]");
        if findings.is_bad(&path) {
            continue;
        }
        match reach {
            Reach::Reached => {}
            Reach::Shadowed => findings.warn(
                &path,
                "is never asked: the routes before it take every message that it fits",
            ),
            Reach::Unfit => findings.warn(&path, "fits no message of any service"),
        }
    }
}

fn check_pattern(key: &str, pattern: &str, names: &[String], findings: &mut Findings) {
    let is_pattern = pattern.contains(['*', '?']);
    if is_pattern || pattern == HOST || names.iter().any(|name| matches(pattern, name)) {
        return;
    }
    let meant = nearest(pattern, names.iter().map(String::as_str)).map(str::to_owned);
    let message = format!("there is no [services.{pattern}]");
    findings.wrong_at(findings.place_of(key), key, message, meant);
}

/// What becomes of a route.
#[derive(Clone, Copy, PartialEq)]
enum Reach {
    /// Some message gets to it and fits.
    Reached,
    /// Some message would fit, and none gets to it.
    Shadowed,
    /// No message there can be fits.
    Unfit,
}

/// Tries every message that there can be of the services as they are.
fn reach(rules: &Rules, services: &[ServiceSettings]) -> Vec<Reach> {
    let mut reach = vec![Reach::Unfit; rules.routes.len()];
    let none = BTreeMap::new();
    let host = (HOST, Severity::Critical, &none);
    let own = services.iter().map(|settings| {
        let severity = settings.service.policy.severity;
        (settings.service.name.as_str(), severity, &*settings.service.labels)
    });
    for (service, severity, labels) in own.chain([host]) {
        if reach.iter().all(|reach| *reach == Reach::Reached) {
            break;
        }
        for (kind, severity) in kinds(severity) {
            let subject = Subject {
                service,
                severity,
                kind,
                labels,
            };
            let verdicts = rules.choose(subject).verdicts;
            for ((reach, verdict), route) in reach.iter_mut().zip(verdicts).zip(&rules.routes) {
                match verdict {
                    Verdict::Taken | Verdict::TakenAndOn => *reach = Reach::Reached,
                    Verdict::NotAsked if *reach == Reach::Unfit && route.matches.fits(subject) => {
                        *reach = Reach::Shadowed;
                    }
                    Verdict::NotAsked | Verdict::Passed(_) => {}
                }
            }
        }
    }
    reach
}

/// The kinds of message that routes are asked about, with their severities for a service of this one.
pub(crate) const fn kinds(severity: Severity) -> [(&'static str, Severity); 4] {
    [
        ("fired", severity),
        ("gave_up", Severity::Critical),
        ("healed", Severity::Info),
        ("flapping", Severity::Warning),
    ]
}
