//! From inputs to settings: defaults filled in, references followed, combinations checked.

mod alerts;
mod heartbeat;
mod maintenance;
mod order;
mod probes;
mod receivers;
mod services;
mod target;
mod web;

pub use alerts::{GROUP_WAIT, REPEAT_INTERVAL};

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use sentinel_engine::{HostPolicy, Mode, Policy};

pub(super) use target::overlap;

use super::findings::Findings;
use super::inputs::{AgentInput, HostInput, Inputs};
use super::keys::{MAX_RECEIVERS, MAX_SERVICES};
use super::rules;
use super::settings::{AgentSettings, HostWatch, Settings};

/// Checks the inputs as a whole. The settings are only good when no problem was found.
pub(super) fn settings(mut inputs: Inputs, findings: &mut Findings) -> Settings {
    if is_crowded("services", inputs.services.len(), MAX_SERVICES, findings) {
        inputs.services.clear();
    }
    if is_crowded("receivers", inputs.receivers.len(), MAX_RECEIVERS, findings) {
        inputs.receivers.clear();
    }
    let agent = agent(inputs.agent, findings);
    let recovery = host(&inputs.recovery);
    let receiver_names: Vec<String> = inputs.receivers.keys().cloned().collect();
    let receivers = receivers::settings(inputs.receivers, inputs.alerts.time_zone.as_deref(), findings);
    let alerts = alerts::settings(inputs.alerts, &receiver_names, findings);
    let heartbeat = inputs.heartbeat.and_then(|input| heartbeat::settings(input, findings));
    let names: Vec<String> = inputs.services.keys().cloned().collect();
    let maintenance = maintenance::settings(inputs.maintenance, &names, findings);
    if inputs.services.is_empty() && !findings.is_bad("services") {
        let meanwhile = match agent.host {
            HostWatch::Off => "nothing is watched",
            HostWatch::Auto | HostWatch::Observe => "whatever runs on this host is observed, and nothing is restarted",
        };
        findings.warn(
            "",
            format!("no services: {meanwhile}; `sentinel discover` proposes some"),
        );
    }
    let defaults = services::default_policy(&inputs.defaults, agent.mode, alerts.notify_after);
    let services = services::settings(
        inputs.services,
        &inputs.defaults,
        agent.mode,
        alerts.notify_after,
        findings,
    );
    alerts::check_routes(&alerts.rules, &names, &services, findings);
    Settings {
        agent,
        recovery,
        defaults,
        services,
        receivers,
        alerts,
        maintenance,
        heartbeat,
    }
}

/// Reports a table that several sources together made too large; each by itself was checked before.
fn is_crowded(key: &str, count: usize, max: usize, findings: &mut Findings) -> bool {
    if count > max {
        findings.wrong(key, format!("holds {count} entries, more than {max}"));
    }
    count > max
}

fn host(input: &HostInput) -> HostPolicy {
    let default = HostPolicy::default();
    HostPolicy {
        max_in_flight: input.max_in_flight.unwrap_or(default.max_in_flight),
        tokens: input.tokens.unwrap_or(default.tokens),
        refill: input.refill.unwrap_or(default.refill),
        storm_services: input.storm_services.unwrap_or(default.storm_services),
        storm_window: input.storm_window.unwrap_or(default.storm_window),
        storm_hold: input.storm_hold.unwrap_or(default.storm_hold),
        boot_grace: input.boot_grace.unwrap_or(default.boot_grace),
    }
}

fn agent(input: AgentInput, findings: &mut Findings) -> AgentSettings {
    let web = web::settings(
        input.listen.as_deref(),
        input.token_file.as_deref(),
        input.listen_insecure,
        findings,
    );
    AgentSettings {
        name: input.name.unwrap_or_else(host_name),
        state_dir: input.state_dir.unwrap_or_else(|| PathBuf::from("/var/lib/sentinel")),
        control_socket: input
            .control_socket
            .unwrap_or_else(|| PathBuf::from("/run/sentinel/control.sock")),
        // It was checked, so what cannot be read is only what is not there.
        unit_files: input.unit_files.unwrap_or(true),
        docker: input
            .docker
            .and_then(|text| rules::docker(&text).ok())
            .unwrap_or_default(),
        labels: input.labels.unwrap_or(true),
        host: input.host,
        log: input.log,
        emoji: input.emoji,
        web,
        mode: input.mode.unwrap_or(Mode::Heal),
    }
}

/// The kernel's name for the host. Without one the agent still has to call itself something.
fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name
        .trim()
        .chars()
        .filter(|character| !character.is_control())
        .collect();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

/// The documented default of `notify_after`.
fn default_notify_after() -> Duration {
    Policy::default().notify_after
}
