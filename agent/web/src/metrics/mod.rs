//! The metrics, by the conventions of Prometheus: base units, `_total` for what only grows, labels of closed sets.

mod exposition;
mod families;
pub(crate) mod process;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use sentinel_api::ReceiverStatus;
use sentinel_driver::control::{MetricsView, ServiceGauges};
use sentinel_driver::counters::Histogram;
use sentinel_engine::State;

use crate::LastReload;
use exposition::{Family, Value, Writer};
use process::Process;

pub(crate) use exposition::Format;

/// Everything that metrics are made of, at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) view: MetricsView,
    pub(crate) receivers: Vec<ReceiverStatus>,
    pub(crate) reload: LastReload,
    pub(crate) version: &'static str,
    pub(crate) since: Timestamp,
    pub(crate) process: Process,
}

/// All of it in one of the formats.
pub(crate) fn render(snapshot: &Snapshot, format: Format) -> String {
    /// What a service takes, about; the rest is some KiB.
    const SERVICE_BYTES: usize = 200;
    let services = &snapshot.view.services;
    let mut out = Writer::new(format, services.len() * SERVICE_BYTES + 16 * 1024);
    agent(&mut out, snapshot);
    self::services(&mut out, services);
    probes(&mut out, snapshot);
    incidents(&mut out, snapshot);
    receivers(&mut out, snapshot);
    process(&mut out, &snapshot.process, snapshot.since);
    out.finish()
}

fn agent(out: &mut Writer, snapshot: &Snapshot) {
    let Snapshot { view, reload, .. } = snapshot;
    out.family(&families::BUILD_INFO)
        .sample(&[snapshot.version], Value::ONE);
    single(out, &families::SERVICES, Value::count(view.services.len()));
    single(out, &families::STORE_WRITABLE, Value::flag(view.store_writable));
    single(out, &families::RELOAD_SUCCESSFUL, Value::flag(reload.is_successful));
    single(out, &families::RELOAD_TIME, Value::time(reload.applied));
    counts(out, &families::UNOBSERVABLE, &view.unobservable);
}

fn services(out: &mut Writer, services: &[ServiceGauges]) {
    let mut family = out.family(&families::UP);
    for service in services {
        if let Some(is_up) = is_up(service) {
            family.sample(&[service.name.as_str()], Value::flag(is_up));
        }
    }
    let mut family = out.family(&families::STATE);
    for service in services {
        family.sample(&[service.name.as_str(), service.state.as_str()], Value::ONE);
    }
    let mut family = out.family(&families::ATTEMPTS_LEFT);
    for service in services {
        family.sample(&[service.name.as_str()], Value::Integer(service.attempts_left.into()));
    }
    let mut family = out.family(&families::INCIDENT_OPEN);
    for service in services {
        if let Some(since) = service.incident_since {
            family.sample(&[service.name.as_str()], Value::time(since));
        }
    }
}

/// Whether it is up; `None` where that is not known, or is not what anybody wants of it now.
fn is_up(service: &ServiceGauges) -> Option<bool> {
    match service.state {
        State::Healthy | State::Suspect => Some(true),
        State::Unknown | State::Stopped | State::Shutdown | State::Maintenance => None,
        State::Starting | State::SupervisorBusy => service.incident_since.map(|_| false),
        State::Settling
        | State::Down
        | State::Suppressed
        | State::Backoff
        | State::Throttled
        | State::Restarting
        | State::Verifying
        | State::GaveUp
        | State::Held => Some(false),
    }
}

fn probes(out: &mut Writer, snapshot: &Snapshot) {
    let counters = &snapshot.view.counters;
    let mut family = out.family(&families::PROBE_DURATION);
    for (key, histogram) in &counters.probes {
        let service = key.service.as_ref().map_or("", |name| name.as_str());
        family.histogram(&[service, key.probe, key.result], histogram);
    }
    single(out, &families::PROBES_SKIPPED, Value::Integer(counters.probes_skipped));
}

fn incidents(out: &mut Writer, snapshot: &Snapshot) {
    let MetricsView { counters, services, .. } = &snapshot.view;
    let open = services.iter().filter(|service| service.incident_since.is_some());
    single(out, &families::INCIDENTS_OPEN, Value::count(open.count()));
    counts(out, &families::INCIDENTS, &counters.incidents);
    counts(out, &families::INCIDENTS_CLOSED, &counters.closed);
    counts(out, &families::RESTARTS, &counters.restarts);
    counts(out, &families::RESTART_VERDICTS, &counters.verdicts);
    counts(out, &families::HOLDS, &counters.holds);
    single(out, &families::GAVE_UP, Value::Integer(counters.gave_up));
    one(out, &families::DETECTION_TO_RESTART, &counters.detection_to_restart);
    one(out, &families::RESTART_TO_HEALTHY, &counters.restart_to_healthy);
    one(out, &families::INCIDENT_DOWN, &counters.incident_down);
    one(out, &families::RESTART_PROVED, &counters.restart_proved);
    counts(out, &families::NOTIFICATIONS, &counters.notified);
    counts(out, &families::NOTIFICATIONS_SUPPRESSED, &counters.not_notified);
}

fn receivers(out: &mut Writer, snapshot: &Snapshot) {
    let receivers = &snapshot.receivers;
    let mut family = out.family(&families::OUTBOX_MESSAGES);
    for receiver in receivers {
        family.sample(&[&receiver.name], Value::Integer(receiver.waiting));
    }
    let mut family = out.family(&families::OUTBOX_OLDEST);
    for receiver in receivers {
        family.sample(
            &[&receiver.name],
            Value::Float(receiver.oldest_seconds.unwrap_or_default()),
        );
    }
    let mut family = out.family(&families::RECEIVER_FAILING);
    for receiver in receivers {
        family.sample(&[&receiver.name], Value::flag(receiver.breaker != "closed"));
    }
    let mut family = out.family(&families::DELIVERIES);
    for (receiver, counts) in &snapshot.view.deliveries {
        for (result, count) in [
            ("delivered", counts.delivered),
            ("failed", counts.failed),
            ("rejected", counts.rejected),
        ] {
            family.sample(&[receiver, result], Value::Integer(count));
        }
    }
}

fn process(out: &mut Writer, process: &Process, since: Timestamp) {
    let sizes = [
        (&families::PROCESS_RESIDENT, process.resident),
        (&families::PROCESS_VIRTUAL, process.virtual_memory),
        (&families::PROCESS_OPEN_FDS, process.open_fds),
        (&families::PROCESS_MAX_FDS, process.max_fds),
    ];
    single(out, &families::PROCESS_CPU, Value::seconds(process.cpu));
    single(out, &families::PROCESS_START, Value::time(since));
    for (family, value) in sizes {
        // What /proc did not say is not 0.
        if let Some(value) = value {
            single(out, family, Value::Integer(value));
        }
    }
}

fn single(out: &mut Writer, family: &'static Family, value: Value) {
    out.family(family).sample(&[], value);
}

fn one(out: &mut Writer, family: &'static Family, histogram: &Histogram) {
    out.family(family).histogram(&[], histogram);
}

fn counts(out: &mut Writer, family: &'static Family, counts: &BTreeMap<&'static str, u64>) {
    let mut family = out.family(family);
    for (word, count) in counts {
        family.sample(&[word], Value::Integer(*count));
    }
}

impl Value {
    const ONE: Self = Self::Integer(1);

    fn flag(is: bool) -> Self {
        Self::Integer(is.into())
    }

    fn count(count: usize) -> Self {
        Self::Integer(count.try_into().unwrap_or(u64::MAX))
    }

    fn seconds(duration: Duration) -> Self {
        Self::Float(duration.as_secs_f64())
    }

    /// Seconds since the epoch of the wall clock.
    fn time(at: Timestamp) -> Self {
        Self::Float(at.as_duration().as_secs_f64())
    }
}
