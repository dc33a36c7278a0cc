//! What the agent's user may do, asked of systemd without doing it; and which unit a name stands for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use zbus::{Connection, Message, Variant, fdo};

use super::error::BusError;
use super::inventory::{manager, within};
use super::message::{MANAGER, MANAGER_PATH, PROPERTIES, SYSTEMD, UNIT};
use super::names::unit_path;
use super::peers::listed;
use super::watcher::BusAddress;

/// An answer that is none.
/// PID 1 answers within milliseconds, polkit within tens of them when it has to be started first.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// A job mode that goes with `start` alone. PID 1 asks polkit about the caller first, and then refuses any other verb with it,
/// before there is a job: a question that never acts (`bus_unit_method_start_generic` in systemd's `dbus-unit.c`, then
/// `manager_add_job` in `manager.c`).
const IMPOSSIBLE_MODE: &str = "isolate";

/// The same for `start`: this one goes with `stop` alone.
const NEVER_A_START: &str = "triggering";

/// Sockets, paths and timers: what starts a unit when it is needed.
const TRIGGERS: [&str; 3] = ["*.socket", "*.path", "*.timer"];

/// What systemd says of the unit that runs polkit begins so; the agent never restarts that one (`config::protected`).
const POLKIT: &str = "Unit polkit.service";

/// Those of `units` that this process may not restart, each with systemd's reason. Nothing is restarted.
pub async fn denied(address: &BusAddress, units: &BTreeSet<String>) -> Result<BTreeMap<String, String>, BusError> {
    let connection = address.connect().await?;
    let mut denied = BTreeMap::new();
    for unit in units {
        if let Some(why) = denial(&connection, unit).await? {
            denied.insert(unit.clone(), why);
        }
    }
    Ok(denied)
}

/// The sockets, paths and timers of `units` that this process may not start, each with the unit that it triggers and
/// systemd's reason. Nothing is started.
pub async fn denied_triggers(
    address: &BusAddress,
    units: &BTreeSet<String>,
) -> Result<BTreeMap<String, (String, String)>, BusError> {
    if units.is_empty() {
        return Ok(BTreeMap::new());
    }
    let names = canonical_names(address, units).await?;
    let triggers = triggers_of(address, &names.into_values().collect()).await?;
    let connection = address.connect().await?;
    let mut denied = BTreeMap::new();
    for (trigger, unit) in triggers {
        if let Some(why) = refusal(&connection, &trigger, "StartUnit", NEVER_A_START).await? {
            denied.insert(trigger, (unit, why));
        }
    }
    Ok(denied)
}

async fn denial(connection: &Connection, unit: &str) -> Result<Option<String>, BusError> {
    refusal(connection, unit, "TryRestartUnit", IMPOSSIBLE_MODE).await
}

/// Why this process may not ask for that; `None` when it may, in a mode in which nothing is done.
async fn refusal(
    connection: &Connection,
    unit: &str,
    method: &'static str,
    mode: &str,
) -> Result<Option<String>, BusError> {
    let body = (unit, mode);
    let call = connection.call_method(Some(SYSTEMD), MANAGER_PATH, Some(MANAGER), method, &body);
    match tokio::time::timeout(ANSWER_WITHIN, call).await {
        Err(_elapsed) => Err(BusError::Late(ANSWER_WITHIN)),
        Ok(Err(zbus::Error::FDO(error))) => match *error {
            fdo::Error::AccessDenied(why)
            | fdo::Error::AuthFailed(why)
            | fdo::Error::InteractiveAuthorizationRequired(why) => Ok(Some(why)),
            fdo::Error::InvalidArgs(_) => Ok(None),
            _ => Err(BusError::Refused(zbus::Error::FDO(error))),
        },
        // It got no answer to the question who asks, as polkit cannot be started. What is wrong with the unit itself, which
        // is looked at after that, has the unit's name.
        Ok(Err(zbus::Error::MethodError(_, Some(why), _))) if why.contains(POLKIT) => Ok(Some(why)),
        // systemd's own errors: it has got past the question who asks.
        Ok(Ok(_) | Err(zbus::Error::MethodError(..))) => Ok(None),
        Ok(Err(error)) => Err(error.into()),
    }
}

/// systemd's own name for each of `units`: that of the unit it is an alias of, or itself.
pub async fn canonical_names(
    address: &BusAddress,
    units: &BTreeSet<String>,
) -> Result<BTreeMap<String, String>, BusError> {
    let connection = address.connect().await?;
    let mut names = BTreeMap::new();
    for unit in units {
        let body = (UNIT, "Id");
        let call = connection.call_method(Some(SYSTEMD), unit_path(unit), Some(PROPERTIES), "Get", &body);
        let answer = within(call).await?;
        let body = answer.body();
        let value = body.deserialize::<(Variant<'_>,)>();
        let (value,) = value.map_err(|error| BusError::Unexpected(Some(error)))?;
        let Variant::Str(name) = value else {
            return Err(BusError::Unexpected(None));
        };
        names.insert(unit.clone(), name.to_string());
    }
    Ok(names)
}

/// The sockets, paths and timers that start `units` (by systemd's own names), each with the unit that it starts: `TriggeredBy=`.
///
/// systemd knows that of a unit only while what triggers it is loaded, and what is stopped and not enabled is not. So each is
/// looked at, which loads it: the same files give the same answer.
pub async fn triggers_of(address: &BusAddress, units: &BTreeSet<String>) -> Result<BTreeMap<String, String>, BusError> {
    let connection = address.connect().await?;
    let patterns = (&[][..] as &[&str], &TRIGGERS[..]);
    let files = manager(&connection, "ListUnitFilesByPatterns", &patterns).await?;
    let (files,) = files
        .body()
        .deserialize::<(Vec<(String, String)>,)>()
        .map_err(|error| BusError::Unexpected(Some(error)))?;
    let loaded = manager(&connection, "ListUnitsByPatterns", &patterns).await?;
    let loaded = listed(&loaded).ok_or(BusError::Unexpected(None))?;
    let name_of = |(path, _): (String, String)| path.rsplit('/').next().unwrap_or_default().to_owned();
    let candidates: BTreeSet<String> = files
        .into_iter()
        .map(name_of)
        // A template is none before it has a name.
        .filter(|name| !name.contains("@."))
        .chain(loaded.into_iter().map(|row| row.id))
        .collect();
    let mut triggers = BTreeMap::new();
    for candidate in candidates {
        // One that cannot be loaded triggers nothing.
        let Some(answer) = property(&connection, &candidate, "Triggers").await? else {
            continue;
        };
        let unit = names_in(&answer).into_iter().find(|name| units.contains(name));
        // polkit is asked about a unit by this name.
        if let Some(unit) = unit
            && let Some(answer) = property(&connection, &candidate, "Id").await?
            && let Some(name) = names_in(&answer).pop()
        {
            triggers.insert(name, unit);
        }
    }
    Ok(triggers)
}

/// A property that all units have; `None` when systemd has none to say.
async fn property(connection: &Connection, unit: &str, name: &str) -> Result<Option<Message>, BusError> {
    let body = (UNIT, name);
    let call = connection.call_method(Some(SYSTEMD), unit_path(unit), Some(PROPERTIES), "Get", &body);
    match tokio::time::timeout(ANSWER_WITHIN, call).await {
        Err(_elapsed) => Err(BusError::Late(ANSWER_WITHIN)),
        Ok(Err(zbus::Error::MethodError(..) | zbus::Error::FDO(_))) => Ok(None),
        Ok(Err(error)) => Err(error.into()),
        Ok(Ok(answer)) => Ok(Some(answer)),
    }
}

/// The name or the names that a property is.
fn names_in(answer: &Message) -> Vec<String> {
    let text = |value: &Variant<'_>| match value {
        Variant::Str(name) => Some(name.to_string()),
        _ => None,
    };
    match answer.body().deserialize::<(Variant<'_>,)>() {
        Ok((Variant::Array(names),)) => names.inner().iter().filter_map(text).collect(),
        Ok((value,)) => text(&value).into_iter().collect(),
        Err(_) => Vec::new(),
    }
}
