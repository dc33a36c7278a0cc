//! systemd, its units, and what helps it, looked at once and not touched: for `sentinel doctor`.

use std::collections::BTreeSet;
use std::time::Duration;

use sentinel_text::chain;
use zbus::{Connection, Variant};

use super::error::{BusError, SurveyError};
use super::message::{MANAGER, MANAGER_PATH, PROPERTIES, SYSTEMD, UNIT};
use super::names::unit_path;
use super::watcher::BusAddress;

/// Everything here answers within milliseconds, once it runs; some is started for the question.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

const SERVICE: &str = "org.freedesktop.systemd1.Service";
const POLKIT: [&str; 3] = [
    "org.freedesktop.PolicyKit1",
    "/org/freedesktop/PolicyKit1/Authority",
    "org.freedesktop.PolicyKit1.Authority",
];
const TIMEDATE: [&str; 3] = [
    "org.freedesktop.timedate1",
    "/org/freedesktop/timedate1",
    "org.freedesktop.timedate1",
];

/// What was seen. Errors are sentences for operators.
#[derive(Debug)]
pub struct Survey {
    /// systemd's version, or why it does not answer.
    pub version: Result<String, SurveyError>,
    /// Whether systemd will report changes.
    pub subscribed: Result<(), SurveyError>,
    /// Units that could not be loaded: name and `LoadState` (`not-found`, `masked`, ...).
    pub unusable: Vec<(String, String)>,
    /// polkit's version, or why it does not answer.
    pub polkit: Result<String, SurveyError>,
    /// Whether the clock follows a time server; `None` when nobody can tell.
    pub synchronised: Option<bool>,
}

/// As whom a unit runs; empty where the unit does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitAccount {
    /// `User=`.
    pub user: String,
    /// `Group=`.
    pub group: String,
    /// `SupplementaryGroups=`.
    pub supplementary: Vec<String>,
}

/// Looks at systemd, at `units`, at polkit and at the clock.
pub async fn survey(address: &BusAddress, units: &BTreeSet<String>) -> Result<Survey, BusError> {
    let bus = address.connect().await?;
    let version = property(&bus, SYSTEMD, MANAGER_PATH, MANAGER, "Version")
        .await
        .map(word);
    let subscribe = bus.call_method(Some(SYSTEMD), MANAGER_PATH, Some(MANAGER), "Subscribe", &());
    let subscribed = within(subscribe).await.map(drop);
    let unusable = unusable(&bus, units).await;
    let [name, path, interface] = POLKIT;
    let polkit = property(&bus, name, path, interface, "BackendVersion").await.map(word);
    let [name, path, interface] = TIMEDATE;
    let synchronised = match property(&bus, name, path, interface, "NTPSynchronized").await {
        Ok(Variant::Bool(synchronised)) => Some(synchronised),
        _ => None,
    };
    Ok(Survey {
        version,
        subscribed,
        unusable,
        polkit,
        synchronised,
    })
}

/// Which of some units this host has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Units {
    /// Those that could not be loaded: name and `LoadState` (`not-found`, `masked`, ...).
    pub unusable: Vec<(String, String)>,
    /// Services that could have been meant: all that have a file, templates left out. Empty where none was asked about in
    /// vain.
    pub known: BTreeSet<String>,
    /// Those that run nothing themselves (`Type=oneshot`), with the services that are part of them: `postgresql.service`.
    pub umbrellas: Vec<(String, Vec<String>)>,
}

/// Looks for `units`, and at what else there is where some do not exist.
pub async fn look_for_units(address: &BusAddress, units: &BTreeSet<String>) -> Result<Units, SurveyError> {
    let bus = address.connect().await?;
    property(&bus, SYSTEMD, MANAGER_PATH, MANAGER, "Version").await?;
    let unusable = unusable(&bus, units).await;
    let mut known = BTreeSet::new();
    if unusable.iter().any(|(_, state)| state == "not-found") {
        let body = (&[""; 0][..], &["*.service"][..]);
        let call = bus.call_method(
            Some(SYSTEMD),
            MANAGER_PATH,
            Some(MANAGER),
            "ListUnitFilesByPatterns",
            &body,
        );
        let answer = within(call).await?;
        let body = answer.body();
        let rows = body.deserialize::<(Vec<(&str, &str)>,)>();
        let (rows,) = rows.map_err(|error| BusError::Unexpected(Some(error)))?;
        let names = rows.into_iter().filter_map(|(path, _)| path.rsplit('/').next());
        known.extend(names.filter(|name| !name.contains("@.")).map(str::to_owned));
    }
    let umbrellas = umbrellas(&bus, units).await;
    Ok(Units {
        unusable,
        known,
        umbrellas,
    })
}

/// Those of `units` that are oneshots of which services are part.
async fn umbrellas(bus: &Connection, units: &BTreeSet<String>) -> Vec<(String, Vec<String>)> {
    let mut umbrellas = Vec::new();
    for unit in units {
        let path = unit_path(unit);
        let service_type = property(bus, SYSTEMD, &path, SERVICE, "Type").await.map(word);
        if !service_type.is_ok_and(|kind| kind == "oneshot") {
            continue;
        }
        let Ok(Variant::Array(parts)) = property(bus, SYSTEMD, &path, UNIT, "ConsistsOf").await else {
            continue;
        };
        let name = |part: &Variant<'_>| match part {
            Variant::Str(name) if name.ends_with(".service") => Some(name.to_string()),
            _ => None,
        };
        let mut parts: Vec<String> = parts.iter().filter_map(name).collect();
        parts.sort_unstable();
        if !parts.is_empty() {
            umbrellas.push((unit.clone(), parts));
        }
    }
    umbrellas
}

/// Those of `units` that are not loaded, and what they are instead.
async fn unusable(bus: &Connection, units: &BTreeSet<String>) -> Vec<(String, String)> {
    let mut unusable = Vec::new();
    for unit in units {
        let state = property(bus, SYSTEMD, &unit_path(unit), UNIT, "LoadState").await;
        match state.map(word) {
            Ok(state) if state == "loaded" => {}
            Ok(state) => unusable.push((unit.clone(), state)),
            Err(error) => unusable.push((unit.clone(), chain(&error))),
        }
    }
    unusable
}

fn word(value: Variant<'static>) -> String {
    match value {
        Variant::Str(word) => word.to_string(),
        _ => String::new(),
    }
}

/// As whom the service unit runs; `None` when there is no such unit.
pub async fn unit_account(address: &BusAddress, unit: &str) -> Result<Option<UnitAccount>, SurveyError> {
    let bus = address.connect().await?;
    let path = unit_path(unit);
    let loaded = property(&bus, SYSTEMD, &path, UNIT, "LoadState").await?;
    if !matches!(loaded, Variant::Str(state) if state == "loaded") {
        return Ok(None);
    }
    let mut account = UnitAccount::default();
    for (field, name) in [(&mut account.user, "User"), (&mut account.group, "Group")] {
        if let Variant::Str(value) = property(&bus, SYSTEMD, &path, SERVICE, name).await? {
            *field = value.to_string();
        }
    }
    if let Variant::Array(groups) = property(&bus, SYSTEMD, &path, SERVICE, "SupplementaryGroups").await? {
        let name = |group: &Variant<'_>| match group {
            Variant::Str(name) => Some(name.to_string()),
            _ => None,
        };
        account.supplementary = groups.iter().filter_map(name).collect();
    }
    Ok(Some(account))
}

async fn property(
    bus: &Connection,
    name: &str,
    path: &str,
    interface: &str,
    property: &str,
) -> Result<Variant<'static>, SurveyError> {
    let body = (interface, property);
    let answer = within(bus.call_method(Some(name), path, Some(PROPERTIES), "Get", &body)).await?;
    let body = answer.body();
    let value = body.deserialize::<(Variant<'_>,)>();
    value
        .and_then(|(value,)| value.try_to_owned())
        .map(Into::into)
        .map_err(|source| SurveyError::Unexpected {
            name: name.to_owned(),
            source,
        })
}

async fn within<T>(call: impl Future<Output = zbus::Result<T>>) -> Result<T, SurveyError> {
    match tokio::time::timeout(ANSWER_WITHIN, call).await {
        Ok(answer) => answer.map_err(Into::into),
        Err(_elapsed) => Err(SurveyError::Late(ANSWER_WITHIN)),
    }
}
