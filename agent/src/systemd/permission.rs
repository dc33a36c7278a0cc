//! What the agent's user may do, asked of systemd without doing it; and which unit a name stands for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use zbus::{Connection, Variant, fdo};

use super::message::{MANAGER, MANAGER_PATH, PROPERTIES, SYSTEMD, UNIT};
use super::names::unit_path;
use super::watcher::BusAddress;

/// PID 1 answers within milliseconds, polkit within tens of them when it has to be started first.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// A job mode that goes with `start` alone. PID 1 asks polkit about the caller first, and then refuses any other verb with it,
/// before there is a job: a question that never acts (`bus_unit_method_start_generic` in systemd's `dbus-unit.c`, then
/// `manager_add_job` in `manager.c`).
const IMPOSSIBLE_MODE: &str = "isolate";

/// What systemd says of the unit that runs polkit begins so; the agent never restarts that one (`config::protected`).
const POLKIT: &str = "Unit polkit.service";

/// Those of `units` that this process may not restart, each with systemd's reason. Nothing is restarted.
///
/// # Errors
///
/// A sentence for people, when systemd cannot be reached or does not answer.
pub async fn denied(address: &BusAddress, units: &BTreeSet<String>) -> Result<BTreeMap<String, String>, String> {
    let connection = address.connect().await?;
    let mut denied = BTreeMap::new();
    for unit in units {
        if let Some(why) = denial(&connection, unit).await? {
            denied.insert(unit.clone(), why);
        }
    }
    Ok(denied)
}

async fn denial(connection: &Connection, unit: &str) -> Result<Option<String>, String> {
    let body = (unit, IMPOSSIBLE_MODE);
    let call = connection.call_method(Some(SYSTEMD), MANAGER_PATH, Some(MANAGER), "TryRestartUnit", &body);
    match tokio::time::timeout(ANSWER_WITHIN, call).await {
        Err(_elapsed) => Err(format!("systemd did not answer within {} s", ANSWER_WITHIN.as_secs())),
        Ok(Err(zbus::Error::FDO(error))) => match *error {
            fdo::Error::AccessDenied(why)
            | fdo::Error::AuthFailed(why)
            | fdo::Error::InteractiveAuthorizationRequired(why) => Ok(Some(why)),
            fdo::Error::InvalidArgs(_) => Ok(None),
            other => Err(format!("systemd cannot be asked: {other}")),
        },
        // It got no answer to the question who asks, as polkit cannot be started. What is wrong with the unit itself, which
        // is looked at after that, has the unit's name.
        Ok(Err(zbus::Error::MethodError(_, Some(why), _))) if why.contains(POLKIT) => Ok(Some(why)),
        // systemd's own errors: it has got past the question who asks.
        Ok(Ok(_) | Err(zbus::Error::MethodError(..))) => Ok(None),
        Ok(Err(error)) => Err(format!("systemd cannot be asked: {error}")),
    }
}

/// systemd's own name for each of `units`: that of the unit it is an alias of, or itself.
///
/// # Errors
///
/// A sentence for people, when systemd cannot be reached or does not answer.
pub async fn canonical_names(
    address: &BusAddress,
    units: &BTreeSet<String>,
) -> Result<BTreeMap<String, String>, String> {
    let connection = address.connect().await?;
    let mut names = BTreeMap::new();
    for unit in units {
        let body = (UNIT, "Id");
        let call = connection.call_method(Some(SYSTEMD), unit_path(unit), Some(PROPERTIES), "Get", &body);
        let answer = tokio::time::timeout(ANSWER_WITHIN, call)
            .await
            .map_err(|_elapsed| format!("systemd did not answer within {} s", ANSWER_WITHIN.as_secs()))?
            .map_err(|error| format!("systemd cannot be asked: {error}"))?;
        let unexpected = || "systemd answered with something unexpected".to_owned();
        let body = answer.body();
        let (value,) = body.deserialize::<(Variant<'_>,)>().map_err(|_| unexpected())?;
        let Variant::Str(name) = value else {
            return Err(unexpected());
        };
        names.insert(unit.clone(), name.to_string());
    }
    Ok(names)
}
