//! `sentinel status`.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use sentinel_api::{
    MaintenanceStatus, ModeWord, ProbeStatus, RejectedStatus, ServiceStatus, StatusResponse, UnseenStatus, Waiting,
    WebStatus,
};
use sentinel_config::Origin;
use sentinel_text::Table;
use sentinel_text::span_secs;
use sentinel_text::time::{between, local};
use sentinel_text::{Paint, Tone};

use super::View;
use super::client::{Client, Result, parse};

/// The word for a service of which nothing is known.
const UNKNOWN: &str = "unknown";

/// Asks for the status of every service, or of `name`.
pub(super) async fn run(client: &Client, view: &View, name: Option<&str>) -> Result<String> {
    let query: Vec<(&str, &str)> = name.map(|name| ("service", name)).into_iter().collect();
    let text = client.get(&["status"], &query).await?;
    if view.json {
        return Ok(text);
    }
    let status: StatusResponse = parse(&text)?;
    Ok(match (name, status.services.as_slice()) {
        (Some(_), [service]) => one(service, view.paint, &view.zone),
        _ => all(&status, view.paint),
    })
}

/// The status of every service.
pub(super) async fn ask(client: &Client) -> Result<StatusResponse> {
    parse(&client.get(&["status"], &[]).await?)
}

/// Every service, a line each.
pub(super) fn all(status: &StatusResponse, paint: Paint) -> String {
    let watched = status.services.len();
    let mut out = format!(
        "{}: {} watched{}\n",
        paint.text(Tone::Strong, &status.host),
        sentinel_text::count(watched, "service"),
        standing(&status.services)
    );
    if watched > 0 {
        let mut table = Table::with_headings(["SERVICE", "STATE", "SINCE", "LAST PROBE", "LEFT", "WAITING FOR"]);
        for service in &status.services {
            table.row([
                (Tone::Plain, service.name.clone()),
                (tone(&service.state), service.state.clone()),
                (Tone::Plain, span_secs(service.since_seconds)),
                last_probe(service),
                (Tone::Plain, service.attempts_left.to_string()),
                (Tone::Plain, pending(service)),
            ]);
        }
        out.push('\n');
        out.push_str(&table.render(paint));
    }
    out.push_str(&rejected(&status.rejected, paint));
    out.push_str(&unseen(&status.unseen, paint));
    out.push_str(&not_served(status.web.as_ref(), paint));
    out
}

/// How all of them are, for the first line. Of no service at all nothing is said: whoever sees none is not well for that.
fn standing(services: &[ServiceStatus]) -> String {
    let unknown = services.iter().filter(|service| service.state == UNKNOWN).count();
    let unwell = services
        .iter()
        .filter(|service| service.state != UNKNOWN && tone(&service.state) != Tone::Good)
        .count();
    let mut text = match unwell {
        0 if services.is_empty() || unknown > 0 => String::new(),
        0 => ", all healthy".to_owned(),
        unwell => format!(", {unwell} not healthy"),
    };
    if unknown > 0 {
        let _ = write!(text, ", {unknown} not known yet");
    }
    text
}

/// Where services are looked for, and nothing is known now: those with one reason on one line.
fn unseen(unseen: &[UnseenStatus], paint: Paint) -> String {
    let mut by_reason: Vec<(Option<&str>, Vec<&str>)> = Vec::new();
    for one in unseen {
        let (reason, what) = (one.reason.as_deref(), one.source.as_str());
        match by_reason.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, all)) => all.push(what),
            None => by_reason.push((reason, vec![what])),
        }
    }
    let mut out = String::new();
    for (reason, what) in by_reason {
        let what = what.join(", ");
        let (head, text) = match reason {
            None => ("not looked at yet:", what),
            Some(reason) => (
                "cannot be seen:",
                format!("{what} ({reason}; `sentinel doctor` says what helps)"),
            ),
        };
        let gap = if out.is_empty() { "\n" } else { "" };
        let text = sentinel_text::printable(&text);
        let _ = writeln!(out, "{gap}{} {text}", paint.text(Tone::Warn, head));
    }
    out
}

/// That metrics are not served where they should be.
fn not_served(web: Option<&WebStatus>, paint: Paint) -> String {
    let Some(WebStatus {
        address,
        error: Some(error),
    }) = web
    else {
        return String::new();
    };
    let text = format!("{address}: {error}");
    let text = sentinel_text::printable(&text);
    format!("\n{} {text}\n", paint.text(Tone::Warn, "metrics are not served:"))
}

/// What asks to be watched and is not.
fn rejected(rejected: &[RejectedStatus], paint: Paint) -> String {
    let mut out = String::new();
    for one in rejected {
        let RejectedStatus {
            place,
            message,
            suggestion,
            watched,
            ..
        } = one;
        let meant = suggestion.as_ref().map(|meant| format!("; did you mean `{meant}`?"));
        let head = if out.is_empty() { "\n" } else { "" };
        let text = format!("{place}: {message}{}", meant.unwrap_or_default());
        let text = sentinel_text::printable(&text);
        let what = if *watched {
            paint.text(Tone::Faint, "warning:")
        } else {
            paint.text(Tone::Bad, "not watched:")
        };
        let _ = writeln!(out, "{head}{what} {text}");
    }
    out
}

/// One service, in full.
pub(super) fn one(service: &ServiceStatus, paint: Paint, zone: &TimeZone) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{}: {} for {} (since {})",
        paint.text(Tone::Strong, &service.name),
        paint.text(tone(&service.state), &service.state),
        span_secs(service.since_seconds),
        local(service.since, zone),
    );
    let mut table = Table::indented("  ");
    let mut row = |name: &str, value: (Tone, String)| table.row([(Tone::Faint, name.to_owned()), value]);
    row("target", (Tone::Plain, service.target.clone()));
    row("last probe", last_probe(service));
    if let Some(text) = not_probed(service) {
        row("not on time", (Tone::Warn, text));
    }
    if let Some(hold) = &service.hold {
        row("held", (Tone::Warn, hold.text.clone()));
    }
    if let Some(flapping) = &service.flapping {
        let text = format!(
            "went down {} times since {}; messages wait until it has been stable for {}",
            flapping.incidents,
            local(flapping.since, zone),
            span_secs(flapping.stable_seconds),
        );
        row("flapping", (Tone::Warn, text));
    }
    for maintenance in &service.maintenance {
        let until = maintenance.until.map(|until| format!(", until {}", local(until, zone)));
        row(
            "maintenance",
            (Tone::Plain, maintenance.reason.clone() + &until.unwrap_or_default()),
        );
    }
    for waiting in &service.waiting {
        row("waiting for", (Tone::Plain, wait(waiting)));
    }
    if let Some(incident) = service.incident {
        row(
            "incident",
            (Tone::Bad, format!("{incident} (sentinel incidents {incident})")),
        );
    }
    if let Some(ack) = &service.acknowledged {
        let text = if ack.text.is_empty() { "" } else { ": " };
        let text = format!("by {}, {}{text}{}", ack.by, local(ack.at, zone), ack.text);
        row(
            "acknowledged",
            (Tone::Plain, sentinel_text::printable(&text).into_owned()),
        );
    }
    row("attempts left", (Tone::Plain, service.attempts_left.to_string()));
    row("recoveries", (Tone::Plain, service.recoveries_total.to_string()));
    row("mode", (Tone::Plain, service.mode.as_str().to_owned()));
    let origin = Origin {
        kind: service.origin,
        place: service.origin_place.clone(),
    };
    row("defined by", (Tone::Plain, origin.to_string()));
    if let Some(observed) = &service.observed {
        let text = format!(
            "would have restarted {}, right {}",
            times(observed.would_have_restarted),
            times(observed.right)
        );
        row("observed", (Tone::Plain, text));
    }
    out.push_str(&table.render(paint));
    out
}

/// `3 times`.
fn times(count: u64) -> String {
    match count {
        1 => "1 time".to_owned(),
        count => format!("{count} times"),
    }
}

/// What the last probe found, and how long ago.
fn last_probe(service: &ServiceStatus) -> (Tone, String) {
    let Some(probe) = &service.last_probe else {
        return (Tone::Faint, "-".to_owned());
    };
    // By the agent's clock, as the reader's may differ: the state began `since_seconds` before its answer.
    let ago = span_secs(service.since_seconds - between(service.since, probe.at));
    let tone = match probe.ok {
        Some(true) => Tone::Good,
        Some(false) => Tone::Bad,
        None => Tone::Warn,
    };
    (tone, format!("{}, {ago} ago", verdict(probe)))
}

/// That the agent itself does not probe it as often as it should.
fn not_probed(service: &ServiceStatus) -> Option<String> {
    let seconds = service.not_probed_seconds?;
    Some(format!("not probed for {}", span_secs(seconds)))
}

/// `200 in 3ms`, `passed in 3ms`, or what went wrong.
fn verdict(probe: &ProbeStatus) -> String {
    match (probe.ok, probe.status_code) {
        (Some(true), Some(code)) => format!("{code} in {:.0}ms", probe.latency_ms),
        (Some(true), None) => format!("{} in {:.0}ms", probe.text, probe.latency_ms),
        _ => probe.text.clone(),
    }
}

/// What holds the service, what comes next, and where to read on.
fn pending(service: &ServiceStatus) -> String {
    let mut parts: Vec<String> = Vec::new();
    parts.extend(service.hold.as_ref().map(|hold| hold.text.clone()));
    parts.extend(not_probed(service));
    parts.extend(service.flapping.as_ref().map(|_| "flapping".to_owned()));
    parts.extend(service.maintenance.iter().map(|maintenance| left(maintenance, service)));
    parts.extend(service.waiting.first().map(wait));
    parts.extend(service.incident.map(|incident| match &service.acknowledged {
        Some(ack) => format!("incident {incident}, acknowledged by {}", ack.by),
        None => format!("incident {incident}"),
    }));
    if service.mode == ModeWord::Observe && service.hold.as_ref().is_none_or(|hold| hold.kind != "observe") {
        parts.push("observing only".to_owned());
    }
    if parts.is_empty() {
        "-".to_owned()
    } else {
        parts.join("; ")
    }
}

/// Why it is left alone, and how long still by the agent's clock.
fn left(maintenance: &MaintenanceStatus, service: &ServiceStatus) -> String {
    let reason = &maintenance.reason;
    match maintenance.until {
        Some(until) => {
            let left = between(service.since, until) - service.since_seconds;
            format!("{reason}, for {}", span_secs(left))
        }
        None => reason.clone(),
    }
}

fn wait(waiting: &Waiting) -> String {
    format!("{} in {}", waiting.what, span_secs(waiting.seconds))
}

/// What a state means to the reader. A state this version does not know is nothing particular.
fn tone(state: &str) -> Tone {
    match state {
        "healthy" => Tone::Good,
        "starting" | "suspect" | "settling" | "supervisor_busy" | "backoff" | "throttled" | "restarting"
        | "verifying" | "suppressed" => Tone::Warn,
        "down" | "gave_up" | "held" => Tone::Bad,
        "unknown" | "stopped" | "shutdown" | "maintenance" => Tone::Faint,
        _ => Tone::Plain,
    }
}
