//! The services that run now, asked for once. Watching is another party's work.

use std::time::Duration;

use zbus::{Connection, Message, Variant};

use super::error::BusError;
use super::facts::{Facts, Properties, Source};
use super::message::{ALL, MANAGER, MANAGER_PATH, PROPERTIES, SYSTEMD};
use super::names::unit_path;
use super::peers::listed;
use super::watcher::BusAddress;

/// PID 1 answers within milliseconds; a busy one within this time or not at all.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Services asked about at most. A host with more is not read by operators.
pub(super) const SERVICES_MAX: usize = 1000;

/// Processes of one service that are looked at, at most.
const PROCESSES_MAX: usize = 1000;

/// A service that runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunningUnit {
    /// Its full name.
    pub name: String,
    /// `Type=`: `simple`, `notify`, `oneshot`, ...
    pub service_type: String,
    /// `Restart=`.
    pub restart: String,
    /// Made by `systemd-run` or another program: nobody can start it again once it is gone.
    pub transient: bool,
    /// Timers, paths and sockets that start it.
    pub triggered_by: Vec<String>,
    /// What it cannot live without: `Requires=`, `BindsTo=` and the like.
    pub needs: Vec<String>,
    /// Its processes.
    pub pids: Vec<u32>,
    /// What tells its last run from others: systemd's invocation, or when it last changed where there is none.
    pub run: String,
}

impl RunningUnit {
    /// Whether it is not the host's own machinery, runs for long, and can be started again by name.
    pub fn is_worth_watching(&self) -> bool {
        /// Also with an instance, as `getty@tty1.service`.
        const MACHINERY: [&str; 16] = [
            "sentinel",
            "dbus",
            "dbus-broker",
            "polkit",
            "docker",
            "containerd",
            "getty",
            "serial-getty",
            "console-getty",
            "container-getty",
            "autovt",
            "user",
            "user-runtime-dir",
            "emergency",
            "rescue",
            "debug-shell",
        ];
        let is_timer = |name: &String| name.rsplit_once('.').is_some_and(|(_, kind)| kind == "timer");
        let stem = self.name.trim_end_matches(".service");
        let stem = stem.split_once('@').map_or(stem, |(template, _)| template);
        let is_short = self.service_type == "oneshot" || self.triggered_by.iter().any(is_timer);
        let is_machinery = MACHINERY.contains(&stem) || stem.starts_with("systemd-") || stem.starts_with("session-");
        !is_short && !is_machinery && !self.transient && sentinel_config::unit(&self.name).is_ok()
    }
}

/// Every service that runs, by name, and how many were left out because there are too many.
pub async fn running_units(address: &BusAddress) -> Result<(Vec<RunningUnit>, usize), BusError> {
    let connection = address.connect().await?;
    let body = (&["running"][..], &["*.service"][..]);
    let answer = manager(&connection, "ListUnitsByPatterns", &body).await?;
    let rows = listed(&answer).ok_or(BusError::Unexpected(None))?;
    let mut names: Vec<String> = rows.into_iter().map(|row| row.id).collect();
    names.sort_unstable();
    let omitted = names.len().saturating_sub(SERVICES_MAX);
    names.truncate(SERVICES_MAX);
    let mut units = Vec::new();
    for name in names {
        let mut unit = describe(&connection, name).await?;
        // It may have ended since it was listed: then it has no processes, and that is no failure.
        let processes = manager(&connection, "GetUnitProcesses", &(unit.name.as_str(),))
            .await
            .ok();
        unit.pids = processes.as_ref().map(pids).unwrap_or_default();
        units.push(unit);
    }
    Ok((units, omitted))
}

/// What systemd says of a service, but for its processes.
pub(super) async fn describe(connection: &Connection, name: String) -> Result<RunningUnit, BusError> {
    let call = connection.call_method(Some(SYSTEMD), unit_path(&name), Some(PROPERTIES), "GetAll", &(ALL,));
    let answer = within(call).await?;
    let body = answer.body();
    let properties: Properties<'_> = body
        .deserialize::<(Properties<'_>,)>()
        .map_err(|error| BusError::Unexpected(Some(error)))?
        .0;
    let mut facts = Facts::default();
    facts.merge(&properties);
    let mut needs = Vec::new();
    Source(&properties).names(&["Requires", "BindsTo", "Requisite"], &mut needs);
    let run = if facts.invocation.is_empty() {
        facts.state_change.to_string()
    } else {
        facts.invocation
    };
    Ok(RunningUnit {
        run,
        transient: matches!(properties.get("Transient"), Some(Variant::Bool(true))),
        name,
        service_type: facts.service_type,
        restart: facts.restart,
        triggered_by: facts.triggered_by,
        needs,
        pids: Vec::new(),
    })
}

/// The second field of each row: cgroup, pid, command line.
fn pids(answer: &Message) -> Vec<u32> {
    let body = answer.body();
    let rows = body.deserialize::<(Vec<(&str, u32, &str)>,)>();
    rows.map(|(rows,)| rows.into_iter().map(|(_, pid, _)| pid).take(PROCESSES_MAX).collect())
        .unwrap_or_default()
}

pub(super) async fn manager<B>(connection: &Connection, member: &'static str, body: &B) -> Result<Message, BusError>
where
    B: serde::Serialize + zbus::wire::DynamicType,
{
    within(connection.call_method(Some(SYSTEMD), MANAGER_PATH, Some(MANAGER), member, body)).await
}

/// The answer to a call, if it comes in time.
pub(super) async fn within(call: impl Future<Output = zbus::Result<Message>>) -> Result<Message, BusError> {
    match tokio::time::timeout(ANSWER_WITHIN, call).await {
        Ok(answer) => answer.map_err(Into::into),
        Err(_elapsed) => Err(BusError::Late(ANSWER_WITHIN)),
    }
}
