//! `sentinel check`: says what is wrong with a configuration, or what it would watch.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use sentinel_api::RejectedStatus;
use sentinel_config::discovery::{Discovery, Source};
use sentinel_config::{
    ContainerTarget, Loaded, MaintenanceSettings, OriginKind, Place, ProbeSettings, Problem, ReceiverKind,
    ReceiverSettings, Secret, Secrets, ServiceSettings, Settings, SlackSettings, Target,
};
use sentinel_engine::alerting::Rules;
use sentinel_engine::{BeforeFirstPass, Mode, RestartOn, ServiceName, Settle};
use sentinel_text::{Paint, Table, count, exact_span};
use serde_json::{Value, json};

use super::check_host::HostNotes;

/// How many of the next times that a maintenance window is open are shown.
const OCCURRENCES: usize = 3;

/// Checks the configuration at `path` together with `env` and writes the result to `out`: the problems, or what would
/// be watched from `now` on and any warnings. Nothing is started.
///
/// Answers whether the configuration is free of errors.
///
/// # Errors
///
/// Only when `out` cannot be written.
pub fn check(
    path: &Path,
    env: impl IntoIterator<Item = (String, String)>,
    json: bool,
    now: Timestamp,
    out: &mut dyn Write,
) -> io::Result<bool> {
    check_with(path, env, json, now, |_, _| Look::default(), out)
}

/// What was seen of the host that a configuration is for.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// Services that were found on it.
    pub(super) found: Discovery,
    /// What could not be looked at, and why.
    pub(super) unseen: Vec<String>,
    /// What the configuration names and the host has not.
    pub(super) about: HostNotes,
    /// The services that the running agent heals; empty where none answers.
    pub(super) healed: BTreeSet<String>,
}

/// The same, over what is seen of the host: `look` answers that.
///
/// # Errors
///
/// Only when `out` cannot be written.
pub(super) fn check_with(
    path: &Path,
    env: impl IntoIterator<Item = (String, String)>,
    json: bool,
    now: Timestamp,
    look: impl FnOnce(&Settings, &BTreeSet<Source>) -> Look,
    out: &mut dyn Write,
) -> io::Result<bool> {
    let env: Vec<(String, String)> = env.into_iter().collect();
    let result = sentinel_config::read(path, env.clone(), Secrets::AtHand).and_then(|mut checked| {
        let look = look(&checked.alone.settings, &Source::wanted(&checked));
        // The look may have changed to the agent's user, who must be able to read the agent's files; other files are
        // drafts.
        if path == Path::new(sentinel_config::DEFAULT_PATH) {
            checked = sentinel_config::read(path, env, Secrets::AtHand)?;
        }
        let mut loaded = look.found.beneath(&checked);
        let place = |note: String| Problem::new(Place::named("this host"), "", note);
        loaded.warnings.extend(look.unseen.into_iter().map(place));
        loaded.warnings.extend(look.about.warnings);
        let unhealed = loaded
            .observed
            .iter()
            .filter(|(name, _)| look.healed.contains(name.as_str()));
        let unhealed: Vec<Problem> = unhealed.map(|(name, place)| only_observed(name, place)).collect();
        loaded.warnings.extend(unhealed);
        Ok((loaded, look.about.notes))
    });
    if json {
        let document = match &result {
            Ok((loaded, notes)) => describe(loaded, notes, now),
            Err(errors) => json!({ "ok": false, "errors": errors.problems, "omitted": errors.omitted }),
        };
        serde_json::to_writer_pretty(&mut *out, &document)?;
        writeln!(out)?;
    } else {
        match &result {
            Ok((loaded, notes)) => print(loaded, notes, now, out)?,
            Err(errors) if errors.problems.iter().all(Problem::is_denied) => {
                writeln!(out, "{errors}")?;
                writeln!(
                    out,
                    "\nnot checked: this user may not read the configuration; `sudo sentinel check` can"
                )?;
            }
            Err(errors) => {
                writeln!(out, "{errors}")?;
                writeln!(out, "\n{}", count(errors.count(), "error"))?;
            }
        }
    }
    Ok(result.is_ok())
}

/// Says that a service loses its healing, and by which line.
fn only_observed(name: &ServiceName, place: &Place) -> Problem {
    let message = "the running agent heals this service; with these files it is only observed";
    Problem::new(place.clone(), format!("services.{name}.mode"), message)
}

fn print(loaded: &Loaded, notes: &[Problem], now: Timestamp, out: &mut dyn Write) -> io::Result<()> {
    let settings = &loaded.settings;
    if !settings.services.is_empty() {
        let mut rows = vec![
            [
                "SERVICE",
                "TARGET",
                "PROBES",
                "MODE",
                "DOWN AFTER",
                "RESTARTS",
                "DEFINED BY",
            ]
            .map(str::to_owned)
            .to_vec(),
        ];
        rows.extend(settings.services.iter().map(service_row));
        if settings
            .services
            .iter()
            .all(|service| service.origin.kind == OriginKind::File)
        {
            // That files define a service needs no column.
            for row in &mut rows {
                row.pop();
            }
        }
        write!(out, "{}", Table::of_text(rows).render(Paint::fixed(false)))?;
        writeln!(out)?;
    }
    if !settings.receivers.is_empty() {
        let mut rows = vec![vec![
            "RECEIVER".to_owned(),
            "KIND".to_owned(),
            "TO".to_owned(),
            "ALERTS".to_owned(),
        ]];
        rows.extend(
            settings
                .receivers
                .iter()
                .map(|receiver| receiver_row(receiver, &settings.alerts.rules)),
        );
        write!(out, "{}", Table::of_text(rows).render(Paint::fixed(false)))?;
        writeln!(out)?;
    }
    print_maintenance(settings, now, out)?;
    for warning in &loaded.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    for note in notes {
        writeln!(out, "note: {note}")?;
    }
    for rejected in &loaded.rejected {
        let what = if rejected.watched { "warning" } else { "not watched" };
        writeln!(out, "{what}: {rejected}")?;
    }
    let files = count(loaded.files.len(), "file");
    let services = count(settings.services.len(), "service");
    let receivers = count(settings.receivers.len(), "receiver");
    writeln!(
        out,
        "{files} read: {services}, {receivers}, {}",
        count(loaded.warnings.len(), "warning")
    )
}

/// Each maintenance window, how many services it is about, and when it is open next, by its own clocks.
fn print_maintenance(settings: &Settings, now: Timestamp, out: &mut dyn Write) -> io::Result<()> {
    if settings.maintenance.is_empty() {
        return Ok(());
    }
    let mut rows = vec![["MAINTENANCE", "SERVICES", "NEXT"].map(str::to_owned).to_vec()];
    for window in &settings.maintenance {
        let mut first = [window.name.clone(), covered(window, settings).len().to_string()];
        for occurrence in sentinel_driver::maintenance::upcoming(window, now, OCCURRENCES) {
            let show = |at: Timestamp, format: &str| at.to_zoned(window.zone.clone()).strftime(format).to_string();
            let start = show(occurrence.start, "%a %Y-%m-%d %H:%M %:z");
            let end = show(occurrence.end, "%a %Y-%m-%d %H:%M %:z");
            let [name, services] = std::mem::take(&mut first);
            rows.push(vec![name, services, format!("{start} to {end}")]);
        }
    }
    write!(out, "{}", Table::of_text(rows).render(Paint::fixed(false)))?;
    writeln!(out)
}

/// The services that a window is about.
fn covered<'a>(window: &MaintenanceSettings, settings: &'a Settings) -> Vec<&'a str> {
    let names = settings.services.iter().map(|service| service.service.name.as_str());
    names.filter(|name| window.covers(name)).collect()
}

fn service_row(service: &ServiceSettings) -> Vec<String> {
    let policy = &service.service.policy;
    let restarts = match (policy.mode, &service.target) {
        (_, None) => "nothing to restart".to_owned(),
        (Mode::Observe, Some(_)) => "none, only observed".to_owned(),
        (Mode::Heal, Some(_)) => {
            let (gap, longest) = (spell(policy.backoff), spell(policy.backoff_max));
            let often = format!("{} in {}, gaps {gap} to {longest}", policy.burst, spell(policy.window));
            // The default needs no mention.
            if policy.restart_on == RestartOn::default() {
                often
            } else if policy.restart_on.words().is_empty() {
                format!("{often}; failed probes only alert")
            } else {
                format!("{often}; on {}", policy.restart_on)
            }
        }
    };
    let probes: Vec<String> = service.probes.iter().map(probe).collect();
    vec![
        service.service.name.to_string(),
        service.target.as_ref().map_or_else(|| "-".to_owned(), target),
        if probes.is_empty() {
            "-".to_owned()
        } else {
            probes.join(", ")
        },
        mode(policy.mode).to_owned(),
        down_after(service).map_or_else(
            || "at once".to_owned(),
            |(refused, hang)| format!("refused within {}, hang within {}", spell(refused), spell(hang)),
        ),
        restarts,
        service.origin.to_string(),
    ]
}

fn receiver_row(receiver: &ReceiverSettings, rules: &Rules) -> Vec<String> {
    let (kind, to) = destination(&receiver.kind);
    let alerts = reached(&receiver.name, rules).unwrap_or("no");
    vec![receiver.name.clone(), kind.to_owned(), to, alerts.to_owned()]
}

/// By which way messages get to a receiver, if any do.
fn reached(name: &str, rules: &Rules) -> Option<&'static str> {
    let is_in = |receivers: &[String]| receivers.iter().any(|receiver| receiver == name);
    if is_in(&rules.default) {
        Some("yes")
    } else if rules.routes.iter().any(|route| is_in(&route.receivers)) {
        Some("by route")
    } else if rules.escalations.iter().any(|escalation| is_in(&escalation.receivers)) {
        Some("escalated")
    } else {
        None
    }
}

/// Kind and host of a receiver; the rest of its address is secret.
fn destination(kind: &ReceiverKind) -> (&'static str, String) {
    let host = |url: &Secret| {
        if url.is_stand_in() {
            return "-".to_owned();
        }
        let url = url::Url::parse(url.expose_secret()).ok();
        url.as_ref().and_then(url::Url::host_str).unwrap_or_default().to_owned()
    };
    match kind {
        ReceiverKind::Slack(SlackSettings::Webhook { url, .. }) => ("slack", host(url)),
        ReceiverKind::Slack(SlackSettings::Bot { channel, .. }) => ("slack", channel.clone()),
        ReceiverKind::Webhook(webhook) => ("webhook", host(&webhook.url)),
        ReceiverKind::Command(command) => ("command", command.argv.first().cloned().unwrap_or_default()),
        ReceiverKind::Email(email) => {
            let to: Vec<String> = email.to.iter().map(|to| to.email.to_string()).collect();
            ("email", to.join(", "))
        }
        ReceiverKind::Alertmanager(manager) => {
            let hosts: Vec<&str> = manager.urls.iter().filter_map(url::Url::host_str).collect();
            ("alertmanager", hosts.join(", "))
        }
    }
}

/// How long at most a service goes on being taken for healthy that refuses, and one that hangs. A dead target is
/// noticed at once.
fn down_after(service: &ServiceSettings) -> Option<(Duration, Duration)> {
    let policy = &service.service.policy;
    let longest = service.probes.iter().map(ProbeSettings::timeout).max()?;
    Some((policy.detection(), policy.hang_detection(longest)))
}

fn target(target: &Target) -> String {
    match target {
        Target::Unit(unit) => unit.clone(),
        Target::Process(process) => format!("process {}", process.pid_file.display()),
        Target::Container(container @ ContainerTarget::Named(_)) => format!("container {container}"),
        Target::Container(container) => format!("compose {container}"),
    }
}

fn probe(probe: &ProbeSettings) -> String {
    match probe {
        ProbeSettings::Http(http) => {
            // A query may hold a token.
            let mut url = http.url.clone();
            if url.query().is_some() {
                url.set_query(Some("..."));
            }
            format!("http {url}")
        }
        ProbeSettings::Tcp(tcp) => format!("tcp {}", tcp.address),
        ProbeSettings::Command(command) => format!("command {}", command.argv.first().map_or("", String::as_str)),
    }
}

const fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Heal => "heal",
        Mode::Observe => "observe",
    }
}

fn spell(duration: Duration) -> String {
    exact_span(duration)
}

/// The same for machines. Durations are seconds.
fn describe(loaded: &Loaded, notes: &[Problem], now: Timestamp) -> Value {
    let settings = &loaded.settings;
    json!({
        "ok": true,
        "files": loaded.files.iter().map(|file| file.to_string_lossy()).collect::<Vec<_>>(),
        "agent": { "name": settings.agent.name, "mode": mode(settings.agent.mode) },
        "services": settings.services.iter().map(describe_service).collect::<Vec<_>>(),
        "receivers": settings.receivers.iter().map(|receiver| {
            let (kind, host) = destination(&receiver.kind);
            let alerts = reached(&receiver.name, &settings.alerts.rules).is_some();
            json!({ "name": receiver.name, "kind": kind, "host": host, "alerts": alerts })
        }).collect::<Vec<_>>(),
        "maintenance": settings.maintenance.iter().map(|window| {
            let next = sentinel_driver::maintenance::upcoming(window, now, OCCURRENCES);
            json!({
                "name": window.name,
                "reason": window.reason(),
                "services": covered(window, settings),
                "next": next.iter().map(|occurrence| {
                    json!({ "start": occurrence.start, "end": occurrence.end })
                }).collect::<Vec<_>>(),
            })
        }).collect::<Vec<_>>(),
        "rejected": loaded.rejected.iter().map(RejectedStatus::from).collect::<Vec<_>>(),
        "warnings": loaded.warnings.iter().collect::<Vec<&Problem>>(),
        "notes": notes,
    })
}

fn describe_service(service: &ServiceSettings) -> Value {
    let policy = &service.service.policy;
    let (target_kind, target_name) = match &service.target {
        None => (None, None),
        Some(Target::Unit(unit)) => (Some("unit"), Some(unit.clone())),
        Some(Target::Process(process)) => (Some("process"), Some(process.pid_file.display().to_string())),
        Some(Target::Container(container @ ContainerTarget::Named(_))) => {
            (Some("container"), Some(container.to_string()))
        }
        Some(Target::Container(container)) => (Some("compose"), Some(container.to_string())),
    };
    json!({
        "name": service.service.name,
        "target": target_kind.map(|kind| json!({ "kind": kind, "name": target_name })),
        "probes": service.probes.iter().map(probe).collect::<Vec<_>>(),
        "after": service.service.after,
        "may_affect": service.reach.may_affect,
        "log_lines": service.log_lines,
        "labels": *service.service.labels,
        "origin": service.origin.kind,
        "origin_place": service.origin.place,
        "mode": mode(policy.mode),
        "severity": policy.severity,
        "interval": policy.interval.as_secs_f64(),
        "fall": policy.fall,
        "rise": policy.rise,
        "down_after": down_after(service).map(|(refused, _)| refused.as_secs_f64()),
        "hang_after": down_after(service).map(|(_, hang)| hang.as_secs_f64()),
        "restart_on": policy.restart_on.words().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "start_grace": policy.start_grace.as_secs_f64(),
        "settle": match policy.settle {
            Settle::Auto => json!("auto"),
            Settle::Fixed(settle) => json!(settle.as_secs_f64()),
        },
        "recovery": {
            "backoff": policy.backoff.as_secs_f64(),
            "backoff_max": policy.backoff_max.as_secs_f64(),
            "jitter": policy.jitter,
            "burst": policy.burst,
            "window": policy.window.as_secs_f64(),
            "verify": policy.verify.as_secs_f64(),
            "min_uptime": policy.min_uptime.as_secs_f64(),
            "reset_after": policy.reset_after.as_secs_f64(),
            "before_first_pass": match policy.before_first_pass {
                BeforeFirstPass::Hold => "hold",
                BeforeFirstPass::Restart => "restart",
            },
        },
    })
}
