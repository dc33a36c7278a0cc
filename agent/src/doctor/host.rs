//! What the agent's user sees of the host.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::fs::{Access, access, statvfs};
use rustix::process::geteuid;
use sentinel_config::{DockerAddress, Loaded, Settings, Target};
use sentinel_systemd::{BusAddress, denied, denied_triggers, survey};
use sentinel_text::chain;
use tokio::process::Command;

use super::clock::{self, Reading};
use super::error::FactError;
use super::facts::{AgentFacts, ConfigFacts, ConfigProblem, DockerFacts, Facts, RuleFacts, StoreFacts};
use super::{account, blocking, secrets, within};
use crate::polkit;

/// A unit that no configuration names, as it is no legal name of one there: nobody needs to restart it.
const NOBODYS: &str = "sentinel-doctor-asks.service";

/// Where the state is when the configuration does not say, because there is none.
const STATE: &str = "/var/lib/sentinel";

/// Collects everything as the user of this process. `rule` is what root saw before; `not_judged` says why this process could
/// not become the agent's user, and then nothing is opened that could be left with another owner.
pub async fn collect(
    config: &Path,
    rule: RuleFacts,
    not_judged: Option<String>,
    agent: impl Future<Output = Result<AgentFacts, Box<dyn Error + Send + Sync>>>,
) -> Facts {
    let before = Reading::now();
    let (config, settings) = read_config(config).await;
    let survey = within(survey(&BusAddress::System, &config.units)).await;
    let denied = within(denied(&BusAddress::System, &config.healed)).await;
    let denied_triggers = within(denied_triggers(&BusAddress::System, &config.healed)).await;
    let (user, in_group) = account::current();
    let directory = settings
        .as_ref()
        .map_or_else(|| PathBuf::from(STATE), |settings| settings.agent.state_dir.clone());
    let store = match &not_judged {
        None => blocking(move || look_at_store(&directory)).await,
        Some(why) => Err(FactError::NotJudged(why.clone())),
    };
    let opened = store
        .as_ref()
        .ok()
        .and_then(|facts| facts.store.as_ref().ok()?.as_ref());
    let clock = clock::facts(before, Reading::now(), opened.and_then(|store| store.anchor.as_ref()));
    Facts {
        is_root: geteuid().is_root(),
        user,
        not_judged,
        beyond: beyond().await,
        journal: within(reads_journal()).await,
        docker: look_at_docker(settings.as_ref(), in_group).await,
        agent: within(agent).await,
        secrets: secrets::look(),
        config,
        survey,
        rule,
        denied,
        denied_triggers,
        clock,
        store,
    }
}

async fn read_config(config: &Path) -> (ConfigFacts, Option<Settings>) {
    let path = config.to_owned();
    let loaded = blocking(move || sentinel_config::look(&path, sentinel_config::environment())).await;
    let problem = |words: String| ConfigFacts {
        problems: vec![ConfigProblem {
            text: words,
            ..ConfigProblem::default()
        }],
        ..ConfigFacts::default()
    };
    match loaded {
        Err(error) => (problem(chain(&error)), None),
        Ok(Err(errors)) => {
            let problems = errors
                .problems
                .iter()
                .map(|problem| ConfigProblem {
                    key: problem.key.clone(),
                    text: first_line(problem),
                    denied: problem.denied.clone(),
                })
                .collect();
            let facts = ConfigFacts {
                problems,
                ..ConfigFacts::default()
            };
            (facts, None)
        }
        Ok(Ok(Loaded {
            settings,
            warnings,
            unread,
            ..
        })) => {
            let (unread, warnings): (Vec<_>, Vec<_>) =
                warnings.iter().partition(|warning| unread.contains(&warning.key));
            // With what unit files ask for, unless that takes too long to find.
            let all = within(polkit::configuration(config, sentinel_config::environment())).await;
            let settings = all.map_or(settings, |loaded| loaded.settings);
            let unit = |service: &sentinel_config::ServiceSettings| match &service.target {
                Some(Target::Unit(unit)) => Some(unit.clone()),
                _ => None,
            };
            let facts = ConfigFacts {
                problems: Vec::new(),
                warnings: warnings.into_iter().map(first_line).collect(),
                unread: unread.into_iter().map(first_line).collect(),
                units: settings.services.iter().filter_map(unit).collect(),
                healed: polkit::units(&settings),
                services: settings.services.len(),
                receivers: settings
                    .receivers
                    .iter()
                    .map(|receiver| receiver.name.clone())
                    .collect(),
            };
            (facts, Some(settings))
        }
    }
}

fn first_line(problem: &sentinel_config::Problem) -> String {
    problem.to_string().lines().next().unwrap_or_default().to_owned()
}

/// Whether more may be restarted than is configured. Root may everything.
async fn beyond() -> Option<bool> {
    if geteuid().is_root() {
        return None;
    }
    let asked = within(denied(&BusAddress::System, &[NOBODYS.to_owned()].into())).await;
    asked.ok().map(|denied| denied.is_empty())
}

/// Whether `journalctl` shows anything of PID 1.
async fn reads_journal() -> Result<bool, FactError> {
    let output = Command::new("journalctl")
        .args(["--no-pager", "--quiet", "--lines", "1", "--output", "cat", "_PID=1"])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(FactError::Journal)?;
    Ok(output.status.success() && !output.stdout.is_empty())
}

async fn look_at_docker(settings: Option<&Settings>, in_group: bool) -> DockerFacts {
    let Some(settings) = settings else {
        return DockerFacts {
            in_group,
            ..DockerFacts::default()
        };
    };
    let is_container =
        |service: &&sentinel_config::ServiceSettings| matches!(service.target, Some(Target::Container(_)));
    let services = settings.services.iter().filter(is_container).count();
    let answer = match services {
        0 => None,
        _ => Some(within(sentinel_docker::answers(&settings.agent.docker)).await),
    };
    DockerFacts {
        services,
        is_socket: matches!(settings.agent.docker, DockerAddress::Unix(_)),
        is_missing: matches!(&settings.agent.docker, DockerAddress::Unix(path) if !path.exists()),
        answer,
        in_group,
    }
}

fn look_at_store(directory: &Path) -> StoreFacts {
    let space = statvfs(directory).ok();
    StoreFacts {
        directory: directory.display().to_string(),
        exists: directory.is_dir(),
        writable: access(directory, Access::WRITE_OK | Access::EXEC_OK).is_ok(),
        free: space.map(|space| space.f_bavail.saturating_mul(space.f_frsize)),
        store: sentinel_store::inspect(directory),
    }
}
