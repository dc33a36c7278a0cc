//! What the configuration has already.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::config::{self, DockerAddress, Target};
use crate::discovery::SourceSnapshot;

/// What need not be proposed again.
#[derive(Clone, Debug, Default)]
pub(super) struct Configured {
    /// Names of services that are taken.
    pub(super) names: BTreeSet<String>,
    /// Targets, as `unit NAME`, `container NAME` or `compose PROJECT/SERVICE`, and whose they are.
    pub(super) targets: BTreeMap<String, String>,
    /// Where the Engine is.
    pub(super) docker: DockerAddress,
    /// Whether labels of containers define services.
    pub(super) labels: bool,
    /// Whether sections of unit files do.
    pub(super) unit_files: bool,
    /// What could not be known.
    pub(super) notes: Vec<String>,
}

/// Reads the configuration, if there is one.
///
/// The files are looked at as they stand too: a service that is switched off keeps its name and its target.
pub(super) fn read(path: &Path) -> Configured {
    let mut configured = Configured {
        labels: true,
        unit_files: true,
        ..Configured::default()
    };
    if !path.exists() {
        let path = path.display();
        configured
            .notes
            .push(format!("there is no configuration {path} yet; it may be an empty file"));
        return configured;
    }
    match config::look(path, config::environment()) {
        Ok(loaded) => {
            configured.docker = loaded.settings.agent.docker.clone();
            configured.labels = loaded.settings.agent.labels;
            configured.unit_files = loaded.settings.agent.unit_files;
            for settings in &loaded.settings.services {
                let name = settings.service.name.to_string();
                if let Some(target) = settings.target.as_ref().and_then(key) {
                    configured.targets.insert(target, name.clone());
                }
                configured.names.insert(name);
            }
            for file in &loaded.files {
                configured.add_file(&fs::read_to_string(file).unwrap_or_default());
            }
        }
        Err(_) => configured.notes.push(format!(
            "the configuration {} has errors (`sentinel check` names them), so what is in it is proposed again",
            path.display()
        )),
    }
    configured
}

impl Configured {
    /// Adds what a label or a unit file defines: in a file it would lie above that, and switch its healing off.
    pub(super) fn add_found(&mut self, seen: &SourceSnapshot) {
        for found in &seen.services {
            let keys = found.keys.iter().filter_map(|key| match key.key.as_str() {
                "unit" => Some(format!("unit {}", config::unit(&key.text).ok()?)),
                kind @ ("container" | "compose") => Some(format!("{kind} {}", key.text)),
                _ => None,
            });
            for target in keys.chain(found.aliases.iter().cloned()) {
                self.targets.entry(target).or_insert_with(|| found.name.clone());
            }
            self.names.insert(found.name.clone());
        }
    }

    fn add_file(&mut self, text: &str) {
        let table: toml::Table = text.parse().unwrap_or_default();
        let services = table.get("services").and_then(toml::Value::as_table);
        for (name, service) in services.into_iter().flatten() {
            self.names.insert(name.clone());
            for kind in ["unit", "container", "compose"] {
                let Some(target) = service.get(kind).and_then(toml::Value::as_str) else {
                    continue;
                };
                let target = match kind {
                    "unit" => config::unit(target).unwrap_or_default(),
                    _ => target.to_owned(),
                };
                self.targets.insert(format!("{kind} {target}"), name.clone());
            }
        }
    }
}

fn key(target: &Target) -> Option<String> {
    match target {
        Target::Unit(unit) => Some(format!("unit {unit}")),
        Target::Container(container @ config::ContainerTarget::Named(_)) => Some(format!("container {container}")),
        Target::Container(container) => Some(format!("compose {container}")),
        Target::Process(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_that_are_switched_off_count_too() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("sentinel.toml");
        fs::write(
            &file,
            "[services.web]\nunit = \"nginx\"\n[services.old]\nenabled = false\ncontainer = \"old\"\n",
        )
        .unwrap();
        let configured = read(&file);
        assert_eq!(configured.notes, Vec::<String>::new());
        assert!(configured.names.contains("web") && configured.names.contains("old"));
        assert_eq!(configured.targets["unit nginx.service"], "web");
        assert_eq!(configured.targets["container old"], "old");
        let missing = read(&directory.path().join("none.toml"));
        assert!(missing.names.is_empty());
        assert_eq!(missing.notes.len(), 1);
        fs::write(&file, "[services.web]\nunitt = \"nginx\"\n").unwrap();
        assert!(read(&file).notes[0].contains("has errors"));
    }
}
