//! What runs a service, and whether the agent may touch it.

use std::collections::HashMap;

use sentinel_engine::Mode;

use super::probes::program;
use crate::config::findings::{Findings, join};
use crate::config::inputs::{ProcessInput, ServiceInput};
use crate::config::rules;
use crate::config::settings::{ProcessTarget, Target};

/// How long `start` and `stop` of a process may each take, unless `timeout` says otherwise.
const DEFAULT_PROCESS_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// The target of the service at `path`, if it has one.
pub(super) fn target(path: &str, input: &mut ServiceInput, mode: Mode, findings: &mut Findings) -> Option<Target> {
    let process = input
        .process
        .take()
        .and_then(|process| process_target(&join(path, "process"), process, findings));
    let Some(written) = &input.unit else {
        return process.map(Target::Process);
    };
    let key = join(path, "unit");
    if findings.has(&join(path, "process")) {
        findings.wrong(&key, "`process` is set as well; a service is run by one of them");
        return None;
    }
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
        };
        match owners.get(&what) {
            Some(owner) => findings.wrong(
                &key,
                format!("`{what}` already belongs to [{}]", join("services", owner)),
            ),
            None => {
                owners.insert(what, name);
            }
        }
    }
}
