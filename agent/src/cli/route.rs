//! `sentinel alerts route`: who would get a message, and why, from the configuration alone.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use sentinel_config::{Settings, nearest};
use sentinel_engine::alerting::{Reason, Rules, Subject, Verdict};
use sentinel_engine::{HOST, Severity};
use sentinel_text::Table;
use sentinel_text::span_secs;
use sentinel_text::{Paint, Tone};
use serde_json::json;

use super::args::RouteArgs;
use super::exit::Exit;
use super::{fail, print, refuse};

/// The message that is asked about.
struct Asked {
    service: String,
    severity: Severity,
    kind: &'static str,
    labels: BTreeMap<String, String>,
    /// How long it is given to be healed before it is reported as down. The host's own outage is reported at once.
    notify_after: Duration,
}

/// Prints each route with what it says, and who is notified. Ends with 1 when that is nobody.
pub(super) fn run(path: &Path, args: &RouteArgs, as_json: bool) -> Exit {
    let settings = match sentinel_config::look(path, sentinel_config::environment()) {
        Ok(loaded) => loaded.settings,
        Err(errors) => return refuse(&errors.to_string()),
    };
    let asked = match asked(&settings, args) {
        Ok(asked) => asked,
        Err(error) => return fail(Exit::Failure, &error.to_string()),
    };
    let rules = &settings.alerts.rules;
    let choice = rules.choose(asked.subject());
    let text = if as_json {
        format!("{:#}", describe(rules, &asked))
    } else {
        explain(rules, &asked, super::stdout::paint())
    };
    match print(&text) {
        Exit::Ok if choice.receivers.is_empty() => Exit::Failure,
        exit => exit,
    }
}

impl Asked {
    fn subject(&self) -> Subject<'_> {
        Subject {
            service: &self.service,
            severity: self.severity,
            kind: self.kind,
            labels: &self.labels,
        }
    }
}

/// No service has the name that was asked for; one may have been meant.
#[derive(Debug, thiserror::Error)]
#[error("there is no service `{name}`{}", .meant.as_ref().map_or_else(String::new, |meant| format!("; did you mean `{meant}`?")))]
struct UnknownService {
    /// What was asked for.
    name: String,
    /// The nearest there is.
    meant: Option<String>,
}

/// What is not said follows from the service.
fn asked(settings: &Settings, args: &RouteArgs) -> Result<Asked, UnknownService> {
    let found = settings
        .services
        .iter()
        .find(|settings| settings.service.name.as_str() == args.service);
    let (own, mut labels) = match found {
        Some(settings) => (settings.service.policy.severity, (*settings.service.labels).clone()),
        None if args.service == HOST => (Severity::Critical, BTreeMap::new()),
        None => {
            let names = settings.services.iter().map(|settings| settings.service.name.as_str());
            return Err(UnknownService {
                name: args.service.clone(),
                meant: nearest(&args.service, names).map(str::to_owned),
            });
        }
    };
    labels.extend(args.label.iter().cloned());
    let severity = match args.kind.as_str() {
        "gave_up" => Severity::Critical,
        "healed" => Severity::Info,
        "flapping" => Severity::Warning,
        _ => own,
    };
    let kinds = ["fired", "gave_up", "healed", "flapping"];
    Ok(Asked {
        service: args.service.clone(),
        severity: args.severity.unwrap_or(severity),
        kind: kinds.into_iter().find(|kind| *kind == args.kind).unwrap_or("fired"),
        labels,
        notify_after: found.map_or(Duration::ZERO, |settings| settings.service.policy.notify_after),
    })
}

/// For operators.
fn explain(rules: &Rules, asked: &Asked, paint: Paint) -> String {
    let choice = rules.choose(asked.subject());
    let labels = asked.labels.iter().map(|(name, value)| format!(", {name}={value}"));
    let labels = labels.collect::<Vec<_>>().concat();
    let mut out = format!(
        "{} of `{}`, {}{labels}\n\n",
        asked.kind,
        asked.service,
        asked.severity.as_str()
    );
    let mut table = Table::with_headings(["ROUTE", "MATCH", "RECEIVERS", "ANSWER"]);
    for ((route, verdict), number) in rules.routes.iter().zip(&choice.verdicts).zip(1..) {
        let tone = match verdict {
            Verdict::Taken | Verdict::TakenAndOn => Tone::Good,
            Verdict::Passed(_) => Tone::Plain,
            Verdict::NotAsked => Tone::Faint,
        };
        table.row([
            (Tone::Plain, number.to_string()),
            (Tone::Plain, route.matches.to_string()),
            (Tone::Plain, names(&route.receivers)),
            (tone, verdict.to_string()),
        ]);
    }
    let fitted = choice
        .verdicts
        .iter()
        .any(|verdict| matches!(verdict, Verdict::Taken | Verdict::TakenAndOn));
    let (tone, answer) = if fitted {
        (Tone::Faint, "not evaluated")
    } else {
        (Tone::Good, "no route matches")
    };
    table.row([
        (Tone::Plain, "default".to_owned()),
        (Tone::Plain, String::new()),
        (Tone::Plain, names(&rules.default)),
        (tone, answer.to_owned()),
    ]);
    out.push_str(&table.render(paint));
    out.push('\n');
    let lines = if let Some(reason) = &choice.no_receivers {
        vec![format!("no receiver is notified: {reason}")]
    } else {
        let notified = choice.receivers.iter();
        notified
            .map(|(name, reason)| format!("{name} is notified: {reason}"))
            .chain(follow_up(rules, asked))
            .collect()
    };
    out.push_str(&lines.join("\n"));
    out
}

/// What comes after the first message.
fn follow_up(rules: &Rules, asked: &Asked) -> Vec<String> {
    if !matches!(asked.kind, "fired" | "gave_up") {
        return Vec::new();
    }
    let mut lines = Vec::new();
    if asked.kind == "fired" && !asked.notify_after.is_zero() {
        let after = span_secs(asked.notify_after.as_secs_f64());
        lines.push(format!("sent unless healed within {after}"));
    }
    if asked.kind == "fired" && !rules.group_wait.is_zero() {
        let wait = span_secs(rules.group_wait.as_secs_f64());
        lines.push(format!("grouped with others for {wait}"));
    }
    for (number, escalation) in rules.escalations_of(asked.subject()) {
        let (after, names) = (span_secs(escalation.after.as_secs_f64()), names(&escalation.receivers));
        lines.push(format!(
            "after {after} without `sentinel ack`: {names} (escalation {number})"
        ));
    }
    if let Some(interval) = rules.repeat_interval.filter(|_| asked.severity > Severity::Info) {
        let interval = span_secs(interval.as_secs_f64());
        lines.push(format!(
            "every {interval} without `sentinel ack`: all receivers notified before, again"
        ));
    }
    lines.push("at the end: all receivers notified before".to_owned());
    lines
}

fn names(receivers: &[String]) -> String {
    if receivers.is_empty() {
        "no receiver".to_owned()
    } else {
        receivers.join(", ")
    }
}

/// For machines.
fn describe(rules: &Rules, asked: &Asked) -> serde_json::Value {
    let choice = rules.choose(asked.subject());
    let reason = |reason: &Reason| json!({"reason": reason.kind(), "text": reason.to_string()});
    let routes: Vec<_> = rules
        .routes
        .iter()
        .zip(&choice.verdicts)
        .map(|(route, verdict)| {
            json!({
                "match": route.matches.to_string(),
                "receivers": route.receivers,
                "continue": route.go_on,
                "fits": matches!(verdict, Verdict::Taken | Verdict::TakenAndOn),
                "answer": verdict.to_string(),
            })
        })
        .collect();
    let receivers: BTreeMap<_, _> = choice.receivers.iter().map(|(name, why)| (name, reason(why))).collect();
    let escalations: Vec<_> = rules
        .escalations_of(asked.subject())
        .filter(|_| matches!(asked.kind, "fired" | "gave_up"))
        .map(|(_, escalation)| json!({"after_seconds": escalation.after.as_secs(), "receivers": escalation.receivers}))
        .collect();
    json!({
        "service": asked.service,
        "severity": asked.severity,
        "kind": asked.kind,
        "labels": asked.labels,
        "routes": routes,
        "receivers": receivers,
        "no_receivers": choice.no_receivers.as_ref().map(reason),
        "notify_after_seconds": asked.notify_after.as_secs_f64(),
        "group_wait_seconds": rules.group_wait.as_secs_f64(),
        "escalations": escalations,
    })
}
