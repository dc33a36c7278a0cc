//! What runs a service, and whether the agent may touch it.

use std::collections::HashMap;

use sentinel_engine::Mode;

use super::probes::program;
use crate::findings::{Findings, join};
use crate::inputs::{ProcessInput, ServiceInput};
use crate::rules;
use crate::target::{ContainerTarget, ProcessTarget, Target};

/// How long `start` and `stop` of a process may each take, unless `timeout` says otherwise.
const DEFAULT_PROCESS_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// The keys that name a target. A service has one.
const KINDS: [&str; 4] = ["unit", "container", "compose", "process"];

/// The target of the service at `path`, if it has one.
pub(super) fn target(path: &str, input: &mut ServiceInput, mode: Mode, findings: &mut Findings) -> Option<Target> {
    let process = input
        .process
        .take()
        .and_then(|process| process_target(&join(path, "process"), process, findings));
    let mut written = KINDS.iter().filter(|kind| findings.has(&join(path, kind)));
    if let (Some(first), Some(second)) = (written.next(), written.next()) {
        let message = format!("`{second}` is set as well; a service is run by one of them");
        findings.wrong(&join(path, first), message);
        return None;
    }
    if let Some(name) = &input.container {
        let legal = rules::container(name).is_ok();
        return legal.then(|| Target::Container(ContainerTarget::Named(name.clone())));
    }
    if let Some(written) = &input.compose {
        return rules::compose(written).ok().map(Target::Container);
    }
    let Some(written) = &input.unit else {
        return process.map(Target::Process);
    };
    let key = join(path, "unit");
    let unit = rules::unit(written).ok()?;
    if let (Mode::Heal, Some(why)) = (mode, rules::protected(&unit)) {
        let message = format!("`{unit}` must not be restarted by the agent: {why}; watch it with `mode = \"observe\"`");
        findings.wrong(&key, message);
    }
    Some(Target::Unit(unit))
}

fn process_target(path: &str, input: ProcessInput, findings: &mut Findings) -> Option<ProcessTarget> {
    for (name, is_missing) in [("pid_file", input.pid_file.is_none()), ("start", input.start.is_none())] {
        if is_missing && !findings.is_bad(path) {
            findings.wrong(path, format!("`{name}` is missing"));
        }
    }
    for (name, argv) in [("start", &input.start), ("stop", &input.stop)] {
        if let Some(argv) = argv {
            program(&join(path, name), argv, findings);
        }
    }
    Some(ProcessTarget {
        pid_file: input.pid_file?,
        start: input.start?,
        stop: input.stop,
        timeout: input.timeout.unwrap_or(DEFAULT_PROCESS_TIMEOUT),
    })
}

/// Reports targets that two services share: each would take the other's restarts for crashes.
pub(super) fn check_unique<'a>(targets: impl Iterator<Item = (&'a str, &'a Target)>, findings: &mut Findings) {
    let mut owners: HashMap<String, &str> = HashMap::new();
    for (name, target) in targets {
        let path = join("services", name);
        let (key, what) = match target {
            Target::Unit(unit) => (join(&path, "unit"), unit.clone()),
            Target::Process(process) => (
                join(&join(&path, "process"), "pid_file"),
                process.pid_file.display().to_string(),
            ),
            Target::Container(container @ ContainerTarget::Named(_)) => {
                (join(&path, "container"), container.to_string())
            }
            Target::Container(container) => (join(&path, "compose"), container.to_string()),
        };
        let owner = owners
            .iter()
            .find(|(owned, _)| overlap(owned, &what))
            .map(|(_, owner)| *owner);
        match owner {
            Some(owner) => {
                let message = format!("`{what}` already belongs to [{}]", join("services", owner));
                findings.about(&[name, owner], |findings| findings.wrong(&key, message));
            }
            None => {
                owners.insert(what, name);
            }
        }
    }
}

/// Whether they are one target: the same, or a Compose service and one container of it.
pub(crate) fn overlap(one: &str, other: &str) -> bool {
    let part = |whole: &str, part: &str| {
        part.strip_prefix(whole)
            .and_then(|rest| rest.strip_prefix('/'))
            .is_some_and(|number| number.parse::<u32>().is_ok())
    };
    one == other || part(one, other) || part(other, one)
}
