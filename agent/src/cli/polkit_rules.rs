//! `sentinel polkit-rules`: the rule that allows the agent's user what the configuration asks for.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

use rustix::process::geteuid;
use sentinel_text::chain;
use serde_json::json;

use super::{Cli, Exit, PolkitRulesArgs, fail, print};
use crate::polkit::{self, ConfigurationError, InstallError, NotInForce, RULE_FILE, Rule, TRIGGER_VERBS, USER, VERBS};

/// Prints the rule, or puts it in place.
pub(super) async fn run(cli: &Cli, args: &PolkitRulesArgs) -> Exit {
    if args.install && !geteuid().is_root() {
        return fail(
            Exit::Failure,
            "only root may install polkit's rules; without `--install` they are printed",
        );
    }
    match rule(&cli.config, args.install).await {
        Ok(rule) if args.install => match install(Path::new(RULE_FILE), &rule) {
            Ok(change) => {
                if let Err(why) = change.await_in_force().await {
                    note(&why.to_string());
                }
                print(&change.text(cli.json))
            }
            Err(error) => fail(Exit::Failure, &chain(&error)),
        },
        Ok(rule) if cli.json => print(&describe(&rule)),
        Ok(rule) => print(&rule.to_string()),
        Err(exit) => exit,
    }
}

/// The rule by the configuration's files, or the end of the command. What is installed comes from files of root's.
async fn rule(config: &Path, install: bool) -> Result<Rule, Exit> {
    // Whoever may set variables for a service need not be whoever may say what it is allowed.
    if !sentinel_config::environment().is_empty() {
        note("variables SENTINEL__... are not looked at: the rule is made from files alone");
    }
    for path in sentinel_config::sources(config) {
        if let Err(error) = polkit::check_trust(&path) {
            let why = chain(&error);
            if install {
                let kept = format!("{why}\nthe rule was not made from it; `{RULE_FILE}` stays as it is");
                return Err(refuse(&kept));
            }
            note(&why);
        }
    }
    let loaded = polkit::configuration(config, []).await.map_err(|error| match error {
        ConfigurationError::Wrong(errors) => {
            let count = sentinel_text::count(errors.count(), "error");
            refuse(&format!("{errors}\n\n{count}; no rule was made"))
        }
        ConfigurationError::Sections(_) => refuse(&format!("{}\nno rule was made", chain(&error))),
    })?;
    if !loaded.unread.is_empty() {
        let keys = loaded.unread.join(", ");
        note(&format!("not read, as the rule does not depend on it: {keys}"));
    }
    polkit::wanted(&loaded.settings)
        .await
        .map_err(|error| fail(Exit::Failure, &chain(&error)))
}

/// What became of the file.
struct Change {
    /// Whether it was written.
    written: bool,
    /// The units that may be restarted.
    units: BTreeSet<String>,
    /// What triggers them and may be started.
    triggers: BTreeSet<String>,
    /// Of what it granted anything before; `None` when that cannot be known, as it was made by others.
    before: Option<BTreeSet<String>>,
}

fn install(path: &Path, rule: &Rule) -> Result<Change, InstallError> {
    let (text, units, triggers) = (rule.to_string(), rule.units(), rule.triggers());
    let current = polkit::current(path)?;
    let before = current.as_deref().map_or_else(|| Some(BTreeSet::new()), Rule::names_in);
    let written = current.is_none_or(|current| current != text);
    if written {
        polkit::replace(path, &text)?;
    }
    Ok(Change {
        written,
        units,
        triggers,
        before,
    })
}

impl Change {
    /// Of what it grants anything.
    fn names(&self) -> BTreeSet<String> {
        self.units.union(&self.triggers).cloned().collect()
    }

    /// Waits until polkit goes by the new rule, so that whoever runs this may rely on it.
    async fn await_in_force(&self) -> Result<(), NotInForce> {
        let (before, names) = (self.before.clone().unwrap_or_default(), self.names());
        let added = names.difference(&before).next().map(|unit| (unit.as_str(), true));
        let removed = before.difference(&names).next().map(|unit| (unit.as_str(), false));
        let expected: Vec<(&str, bool)> = added.into_iter().chain(removed).filter(|_| self.written).collect();
        polkit::await_in_force(&expected).await
    }

    fn text(&self, json: bool) -> String {
        let empty = BTreeSet::new();
        let before = self.before.as_ref().unwrap_or(&empty);
        let names = self.names();
        let added: Vec<&String> = names.difference(before).collect();
        let removed: Vec<&String> = before.difference(&names).collect();
        if json {
            let Self {
                written,
                units,
                triggers,
                ..
            } = self;
            return json!({
                "file": RULE_FILE, "written": written, "units": units, "triggers": triggers, "added": added, "removed": removed,
                "replaced_other": self.before.is_none(),
            })
            .to_string();
        }
        let mut text = match self.units.len() {
            0 => format!("`{USER}` may restart no unit"),
            1 => format!("`{USER}` may restart 1 unit"),
            count => format!("`{USER}` may restart {count} units"),
        };
        match self.triggers.len() {
            0 => {}
            1 => text.push_str(", and start 1 socket, path or timer that triggers them"),
            count => {
                // Writing to a string cannot fail.
                let _ = write!(text, ", and start {count} sockets, paths and timers that trigger them");
            }
        }
        text.push_str(if self.written { "; wrote " } else { "; unchanged: " });
        text.push_str(RULE_FILE);
        if self.before.is_none() {
            text.push_str("\nreplaced a rule that `sentinel polkit-rules` had not made");
        }
        for (what, units) in [("added", added), ("removed", removed)] {
            for unit in units {
                // Writing to a string cannot fail.
                let _ = write!(text, "\n{what}: {unit}");
            }
        }
        text
    }
}

/// The rule as JSON.
fn describe(rule: &Rule) -> String {
    json!({
        "user": USER, "verbs": VERBS, "units": rule.units(), "trigger_verbs": TRIGGER_VERBS, "triggers": rule.triggers(),
        "rule": rule.to_string(),
    })
    .to_string()
}

/// Says on stderr what operators should know.
fn note(text: &str) {
    let _ = writeln!(io::stderr(), "sentinel: {}", sentinel_text::printable(text));
}

/// Says on stderr why there is no rule, line by line.
fn refuse(why: &str) -> Exit {
    for line in why.lines() {
        let _ = writeln!(io::stderr(), "{}", sentinel_text::printable(line));
    }
    Exit::Failure
}
