//! `command = { ... }`.

use std::time::Duration;

use crate::findings::{Findings, join};
use crate::inputs::CommandInput;
use crate::settings::CommandSettings;

/// As long as a webhook may take.
const TIMEOUT: Duration = Duration::from_secs(15);

pub(super) fn settings(path: &str, input: CommandInput, findings: &mut Findings) -> CommandSettings {
    let argv = input.argv.unwrap_or_default();
    let key = join(path, "argv");
    match argv.first() {
        _ if findings.is_bad(&key) => {}
        None => findings.wrong(path, "does not say what to run; add `argv`"),
        Some(program) if !program.starts_with('/') => {
            findings.wrong(&key, "the program must be given by its absolute path");
        }
        Some(_) => {}
    }
    for name in input.env.keys().filter(|name| name.starts_with("SENTINEL_")) {
        let key = join(&join(path, "env"), name);
        findings.wrong(&key, "is set by the agent itself; take a name without `SENTINEL_`");
    }
    CommandSettings {
        argv,
        env: input.env,
        timeout: input.timeout.unwrap_or(TIMEOUT),
    }
}
