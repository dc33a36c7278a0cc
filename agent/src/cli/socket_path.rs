//! Where the agent listens.

use std::fs;
use std::path::{Path, PathBuf};

use super::Cli;

/// Where it listens when nothing is configured.
const DEFAULT: &str = "/run/sentinel/control.sock";

/// The variable that overrides the configuration, as for the agent itself.
const VARIABLE: &str = "SENTINEL__AGENT__CONTROL_SOCKET";

/// The control socket: `--socket`, the environment, the configuration if it can be read, or the default.
///
/// Only this one key is looked at: whoever asks for the status need not be able to read, or to have repaired, the rest.
pub fn control_socket(cli: &Cli) -> PathBuf {
    cli.socket
        .clone()
        .or_else(|| {
            std::env::var_os(VARIABLE)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        })
        .or_else(|| configured(&cli.config))
        .unwrap_or_else(|| DEFAULT.into())
}

/// `agent.control_socket` of `file`, and of the fragments in `conf.d` beside it, of which the last wins.
fn configured(file: &Path) -> Option<PathBuf> {
    let mut fragments: Vec<PathBuf> = fs::read_dir(file.with_file_name("conf.d"))
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    fragments.sort();
    fragments
        .iter()
        .rev()
        .find_map(|fragment| key_in(fragment))
        .or_else(|| key_in(file))
}

fn key_in(file: &Path) -> Option<PathBuf> {
    let table: toml::Table = fs::read_to_string(file).ok()?.parse().ok()?;
    table.get("agent")?.get("control_socket")?.as_str().map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_file_that_names_a_socket_wins() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("sentinel.toml");
        assert_eq!(configured(&file), None, "there is no file");

        fs::write(&file, "[agent]\ncontrol_socket = \"/a\"\n").unwrap();
        assert_eq!(configured(&file), Some("/a".into()));

        let fragments = directory.path().join("conf.d");
        fs::create_dir(&fragments).unwrap();
        fs::write(fragments.join("10.toml"), "agent.control_socket = \"/b\"").unwrap();
        fs::write(fragments.join("20.toml"), "agent.name = \"x\"").unwrap();
        fs::write(fragments.join("30.toml.bak"), "agent.control_socket = \"/c\"").unwrap();
        fs::write(fragments.join("40.toml"), "not toml").unwrap();
        assert_eq!(configured(&file), Some("/b".into()));
    }
}
