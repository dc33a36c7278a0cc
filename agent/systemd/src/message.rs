//! The calls that are made on the bus, and what comes back.
//!
//! Calls are sent as plain messages, and signals and replies are taken from one stream, in the order in which PID 1 sent
//! them. That order carries meaning: an answer is newer than every signal before it, and the reply that names a job comes
//! before the news of its end. Proxies would spread them over streams of their own and lose it.

use zbus::message::Message;

use super::names::unit_path;

pub(super) const BUS: &str = "org.freedesktop.DBus";
pub(super) const SYSTEMD: &str = "org.freedesktop.systemd1";
pub(super) const POLKIT: &str = "org.freedesktop.PolicyKit1";
pub(super) const LOGIND: &str = "org.freedesktop.login1";
pub(super) const MANAGER: &str = "org.freedesktop.systemd1.Manager";
pub(super) const UNIT: &str = "org.freedesktop.systemd1.Unit";
const BUS_PATH: &str = "/org/freedesktop/DBus";
pub(super) const MANAGER_PATH: &str = "/org/freedesktop/systemd1";
pub(super) const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// All interfaces of an object at once, so that the answer is of one moment.
pub(super) const ALL: &str = "";

/// The only job mode that never takes a job away from another party.
const MODE: &str = "fail";

/// A method of the manager that makes a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JobMethod {
    /// Starts a unit that does not run.
    Start,
    /// Restarts a unit if it runs; does nothing otherwise.
    TryRestart,
}

pub(super) fn start_job(method: JobMethod, unit: &str) -> zbus::Result<Message> {
    let member = match method {
        JobMethod::Start => "StartUnit",
        JobMethod::TryRestart => "TryRestartUnit",
    };
    manager(member).build(&(unit, MODE))
}

pub(super) fn reset_failed(unit: &str) -> zbus::Result<Message> {
    manager("ResetFailedUnit").build(&(unit,))
}

pub(super) fn subscribe() -> zbus::Result<Message> {
    manager("Subscribe").build(&())
}

pub(super) fn list_units(names: &[&str]) -> zbus::Result<Message> {
    manager("ListUnitsByNames").build(&(names,))
}

/// `SystemState`: `running`, `degraded`, `stopping`, ...
pub(super) fn system_state() -> zbus::Result<Message> {
    Message::method_call(MANAGER_PATH, "Get")
        .destination(SYSTEMD)
        .interface(PROPERTIES)
        .build(&(MANAGER, "SystemState"))
}

/// All properties of one interface of a unit, or of all its interfaces. Loads the unit if need be.
pub(super) fn properties(unit: &str, interface: &str) -> zbus::Result<Message> {
    Message::method_call(unit_path(unit), "GetAll")
        .destination(SYSTEMD)
        .interface(PROPERTIES)
        .build(&(interface,))
}

pub(super) fn name_owner(name: &str) -> zbus::Result<Message> {
    bus("GetNameOwner").build(&(name,))
}

pub(super) fn add_match(rule: &str) -> zbus::Result<Message> {
    bus("AddMatch").build(&(rule,))
}

pub(super) fn remove_match(rule: &str) -> zbus::Result<Message> {
    bus("RemoveMatch").build(&(rule,))
}

fn manager(member: &'static str) -> zbus::message::Builder<'static> {
    Message::method_call(MANAGER_PATH, member)
        .destination(SYSTEMD)
        .interface(MANAGER)
}

fn bus(member: &'static str) -> zbus::message::Builder<'static> {
    Message::method_call(BUS_PATH, member).destination(BUS).interface(BUS)
}

/// The rules for everything that is not about one unit.
pub(super) fn general_rules() -> Vec<String> {
    let owner = |name: &str| {
        format!(
            "type='signal',sender='{BUS}',interface='{BUS}',member='NameOwnerChanged',path='{BUS_PATH}',arg0='{name}'"
        )
    };
    let manager = |member: &str| {
        format!("type='signal',sender='{SYSTEMD}',interface='{MANAGER}',member='{member}',path='{MANAGER_PATH}'")
    };
    vec![
        owner(SYSTEMD),
        owner(LOGIND),
        // Whoever decides what the agent may do comes and goes.
        owner(POLKIT),
        manager("JobRemoved"),
        manager("Reloading"),
        // Reports a shutdown on hosts without logind, and on whose account a unit is started.
        manager("JobNew"),
        format!("type='signal',sender='{LOGIND}',interface='{LOGIND}.Manager',member='PrepareForShutdown'"),
    ]
}

/// The rule for the changes of the object at `path`, which need not exist yet.
pub(super) fn unit_rule(path: &str) -> String {
    format!("type='signal',sender='{SYSTEMD}',interface='{PROPERTIES}',member='PropertiesChanged',path='{path}'")
}

/// The rule for the changes of all units, for when there are more than the bus takes rules for.
pub(super) fn all_units_rule() -> String {
    format!(
        "type='signal',sender='{SYSTEMD}',interface='{PROPERTIES}',member='PropertiesChanged',path_namespace='{}'",
        super::names::UNIT_ROOT
    )
}

/// Why a call has no answer that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CallError {
    /// The callee answered with an error; the name is one of the bus, the text is for operators.
    #[error("{text} ({name})")]
    Answered {
        /// `org.freedesktop.systemd1.NoSuchUnit`, ...
        name: String,
        /// The callee's own words.
        text: String,
    },
    /// There is no connection, so the call was not made.
    #[error("there is no connection to systemd")]
    NotConnected,
    /// The connection was lost, or the answer never came: the call may have been carried out.
    #[error("the connection to systemd was lost before it answered")]
    Lost,
    /// The answer was not of the documented type.
    #[error("systemd answered with something unexpected")]
    Unexpected,
}

impl CallError {
    /// The error that an error message holds.
    pub(super) fn from_message(message: &Message) -> Self {
        let header = message.header();
        let name = header.error_name().map(ToString::to_string).unwrap_or_default();
        let text = message
            .body()
            .deserialize::<(String,)>()
            .map_or_else(|_| "no explanation".to_owned(), |(text,)| text);
        Self::Answered { name, text }
    }

    /// The last part of the name of an error that was answered.
    pub(super) fn word(&self) -> &str {
        match self {
            Self::Answered { name, .. } => name.rsplit('.').next().unwrap_or_default(),
            _ => "",
        }
    }
}
