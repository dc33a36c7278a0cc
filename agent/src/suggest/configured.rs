//! What the configuration has already.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sentinel_config::discovery::SourceSnapshot;
use sentinel_config::{DockerAddress, Secrets};

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
/// A service that is switched off keeps its name and its target.
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
    match sentinel_config::read(path, sentinel_config::environment(), Secrets::AtHand) {
        Ok(checked) => {
            let agent = &checked.alone.settings.agent;
            configured.docker = agent.docker.clone();
            configured.labels = agent.labels;
            configured.unit_files = agent.unit_files;
            for (name, target) in checked.services() {
                if let Some(target) = target {
                    configured.targets.insert(target.to_owned(), name.to_owned());
                }
                configured.names.insert(name.to_owned());
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
                "unit" => Some(format!("unit {}", sentinel_config::unit(&key.text).ok()?)),
                kind @ ("container" | "compose") => Some(format!("{kind} {}", key.text)),
                _ => None,
            });
            for target in keys.chain(found.aliases.iter().cloned()) {
                self.targets.entry(target).or_insert_with(|| found.name.clone());
            }
            self.names.insert(found.name.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

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
