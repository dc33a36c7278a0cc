//! Asking PID 1 which files make up the units that have a section.

use std::collections::BTreeSet;
use std::pin::pin;

use futures_util::{StreamExt as _, stream};
use sentinel_config::discovery::SourceSnapshot;
use sentinel_config::{OriginKind, Place, Rejected};
use zbus::{Connection, Variant};

use super::super::error::{BusError, SectionError};
use super::super::facts::{Properties, Source};
use super::super::inventory::within;
use super::super::message::{MANAGER, MANAGER_PATH, PROPERTIES, SYSTEMD, UNIT};
use super::super::names::unit_path;
use super::super::peers::listed;
use super::super::watcher::BusAddress;
use super::files::{self, Cache, UNITS_MAX};

/// Units asked for at once: on a busy host each answer waits for its turn three times. The bus allows 128 pending replies.
const ASKED_AT_ONCE: usize = 16;

/// What is known between two looks.
#[derive(Debug, Default)]
pub(super) struct Known {
    cache: Cache,
    /// Templates that have a section.
    templates: BTreeSet<String>,
    /// Instances of these that were ever seen: one that is unloaded has stopped, and is no less a service.
    instances: BTreeSet<String>,
}

impl Known {
    /// Whether a unit that was just loaded is a service that is not known yet.
    pub(super) fn is_new_instance(&self, unit: &str) -> bool {
        template_of(unit).is_some_and(|template| self.templates.contains(&template)) && !self.instances.contains(unit)
    }
}

/// Every unit with a section, asked for once.
pub async fn unit_sections(address: &BusAddress) -> Result<SourceSnapshot, SectionError> {
    let connection = address.connect().await?;
    look(&connection, &mut Known::default()).await
}

/// Looks at all units.
pub(super) async fn look(connection: &Connection, known: &mut Known) -> Result<SourceSnapshot, SectionError> {
    let dirs = unit_path_of(connection).await?;
    let mut cache = std::mem::take(&mut known.cache);
    // Hundreds of small files, on a disk that may be slow today.
    let scan = tokio::task::spawn_blocking(move || (cache.candidates(&dirs), cache));
    let (candidates, cache) = scan.await?;
    known.cache = cache;
    known.templates = candidates.iter().filter(|unit| is_template(unit)).cloned().collect();
    known.find_instances(connection).await?;
    let units = candidates.into_iter().filter(|unit| !is_template(unit));
    let units: BTreeSet<String> = units.chain(known.instances.iter().cloned()).collect();
    let mut seen = SourceSnapshot::default();
    let mut done = BTreeSet::new();
    let asked: Vec<String> = units.iter().take(UNITS_MAX).cloned().collect();
    let described = stream::iter(asked).map(|unit| async move { describe(connection, &unit).await });
    let mut described = pin!(described.buffered(ASKED_AT_ONCE));
    while let Some(described) = described.next().await {
        let Some((id, paths)) = described? else { continue };
        // Several names may be one unit.
        if !done.insert(id.clone()) {
            continue;
        }
        let read = tokio::task::spawn_blocking(move || files::service(&id, &paths));
        match read.await? {
            Ok(found) => seen.services.extend(found),
            Err(rejected) => seen.rejected.extend(rejected),
        }
    }
    if units.len() > UNITS_MAX {
        let message = format!("{} units have a section; the first {UNITS_MAX} count", units.len());
        let place = Place::named("unit files");
        seen.rejected
            .push(Rejected::new("", OriginKind::UnitFile, place, message));
    }
    Ok(seen)
}

impl Known {
    async fn find_instances(&mut self, connection: &Connection) -> Result<(), BusError> {
        let templates = &self.templates;
        self.instances
            .retain(|unit| template_of(unit).is_some_and(|template| templates.contains(&template)));
        if templates.is_empty() {
            return Ok(());
        }
        let patterns: Vec<String> = templates.iter().map(|unit| unit.replacen('@', "@?*", 1)).collect();
        let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
        let none: &[&str] = &[];
        let body = (none, patterns.as_slice());
        let call = connection.call_method(Some(SYSTEMD), MANAGER_PATH, Some(MANAGER), "ListUnitsByPatterns", &body);
        let rows = listed(&within(call).await?).ok_or(BusError::Unexpected(None))?;
        let room = UNITS_MAX.saturating_sub(self.instances.len());
        self.instances.extend(rows.into_iter().map(|row| row.id).take(room));
        Ok(())
    }
}

/// The directories of units, the one that wins first.
async fn unit_path_of(connection: &Connection) -> Result<Vec<String>, BusError> {
    let body = (MANAGER, "UnitPath");
    let call = connection.call_method(Some(SYSTEMD), MANAGER_PATH, Some(PROPERTIES), "Get", &body);
    let answer = within(call).await?;
    let body = answer.body();
    let (value,) = body.deserialize::<(Variant<'_>,)>().map_err(unexpected)?;
    let mut dirs = Vec::new();
    Source(&Properties::from([(DIRS, value)])).names(&[DIRS], &mut dirs);
    Ok(dirs)
}

const DIRS: &str = "UnitPath";

fn unexpected(error: zbus::Error) -> BusError {
    BusError::Unexpected(Some(error))
}

/// The unit's own name and its files, in the order in which systemd reads them; `None` for one that is masked or not there.
async fn describe(connection: &Connection, unit: &str) -> Result<Option<(String, Vec<String>)>, BusError> {
    let call = connection.call_method(Some(SYSTEMD), unit_path(unit), Some(PROPERTIES), "GetAll", &(UNIT,));
    let answer = within(call).await?;
    let body = answer.body();
    let (properties,) = body.deserialize::<(Properties<'_>,)>().map_err(unexpected)?;
    let text = |name: &str| match properties.get(name) {
        Some(Variant::Str(text)) => text.as_str().to_owned(),
        _ => String::new(),
    };
    if matches!(text("LoadState").as_str(), "masked" | "not-found") {
        return Ok(None);
    }
    let mut paths = vec![text("FragmentPath")];
    if let Some(Variant::Array(array)) = properties.get("DropInPaths") {
        paths.extend(array.inner().iter().filter_map(|path| match path {
            Variant::Str(path) => Some(path.as_str().to_owned()),
            _ => None,
        }));
    }
    Ok(Some((text("Id"), paths)))
}

fn is_template(unit: &str) -> bool {
    unit.ends_with("@.service")
}

/// `pg@.service` of `pg@15-main.service`.
fn template_of(unit: &str) -> Option<String> {
    let (name, instance) = unit.strip_suffix(".service")?.split_once('@')?;
    (!instance.is_empty()).then(|| format!("{name}@.service"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_new_once_and_only_of_a_template_with_a_section() {
        let known = Known {
            templates: ["pg@.service".to_owned()].into(),
            instances: ["pg@15.service".to_owned()].into(),
            ..Known::default()
        };
        assert!(known.is_new_instance("pg@16.service"));
        for unit in [
            "pg@15.service",
            "pg@.service",
            "pg.service",
            "x@16.service",
            "pg@16.timer",
        ] {
            assert!(!known.is_new_instance(unit), "{unit}");
        }
    }
}
