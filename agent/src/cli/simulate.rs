//! `sentinel simulate`: shows what the agent would do in a scripted world.

use std::io::{self, Write as _};
use std::path::Path;

use sentinel_config::{ConfigErrors, FileError, nearest};
use sentinel_simulation::{self as simulation, CircleError, Policies};
use sentinel_text::{Paint, Table, Tone, chain};

use super::args::SimulateArgs;
use super::{Exit, fail, print};
use crate::simulate::{self, SHIPPED, Shipped};

/// Why nothing is simulated. Of several problems each has a line of its own.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SimulateError {
    /// The file of the scenario, or one of the policy, cannot be read.
    #[error("{name}")]
    Unreadable {
        /// Its path.
        name: String,
        /// Why.
        source: FileError,
    },
    /// No scenario has this name, and none that is like it.
    #[error(
        "there is no scenario `{0}`; `sentinel simulate --list` shows them; a file is named with its ending, `{0}.toml`"
    )]
    Unknown(String),
    /// No scenario has this name; another may have been meant.
    #[error("there is no scenario `{name}`; did you mean `{meant}`?")]
    Misspelt {
        /// What was asked for.
        name: String,
        /// The nearest there is.
        meant: String,
    },
    /// The scenario is wrong.
    #[error("wrong scenario\n{0}")]
    Scenario(ConfigErrors),
    /// The configuration whose policy is tried is wrong.
    #[error("wrong policy\n{0}")]
    Policy(ConfigErrors),
    /// The services need one another in a circle.
    #[error(transparent)]
    Circle(#[from] CircleError),
}

/// A simulation that is over.
pub(crate) struct Answer {
    /// What to write to stdout.
    pub(crate) text: String,
    /// Whether everything is as the scenario expects.
    pub(crate) is_as_expected: bool,
}

/// Carries out the command. A wrong scenario or policy is wrong usage.
pub(super) fn run(args: &SimulateArgs, json: bool) -> Exit {
    let paint = super::stdout::paint();
    match answer(args, json, paint) {
        Ok(answer) if answer.is_as_expected => print(&answer.text),
        Ok(answer) => match print(&answer.text) {
            Exit::Ok => Exit::Failure,
            exit => exit,
        },
        Err(error) => wrong_usage(&chain(&error)),
    }
}

/// Says what is wrong; of several problems each has a line of its own.
pub(super) fn wrong_usage(why: &str) -> Exit {
    let mut lines = why.lines();
    let exit = fail(Exit::Usage, lines.next().unwrap_or_default());
    for line in lines {
        let _ = writeln!(io::stderr(), "{}", sentinel_text::printable(line));
    }
    exit
}

/// Plays the scenario that is asked for, or lists or prints what there is; or says what is wrong.
pub(crate) fn answer(args: &SimulateArgs, json: bool, paint: Paint) -> Result<Answer, SimulateError> {
    if args.list {
        return Ok(plain(list(json, paint)?));
    }
    let name = args.scenario.as_deref().unwrap_or_default();
    let (shown, text) = source(name)?;
    if args.print {
        return Ok(plain(text));
    }
    let scenario = simulate::read(&shown, &text).map_err(SimulateError::Scenario)?;
    let policies = match &args.policy {
        Some(path) => policies(path)?,
        None => simulate::defaults(),
    };
    let outcome = simulation::run(&scenario, &policies)?;
    let text = if json {
        format!("{:#}", simulate::json(&outcome, name, &scenario))
    } else {
        simulate::render(&outcome, &scenario, paint)
    };
    Ok(Answer {
        text,
        is_as_expected: outcome.summary.is_as_expected(),
    })
}

fn plain(text: String) -> Answer {
    Answer {
        text,
        is_as_expected: true,
    }
}

/// The scenario's name in messages, and its text. What has a dot or a slash is a file.
fn source(name: &str) -> Result<(String, String), SimulateError> {
    if let Some(shipped) = simulate::find(name) {
        return Ok((format!("{name}.toml"), shipped.text.to_owned()));
    }
    if name.contains(['.', '/']) {
        return sentinel_config::read_text(Path::new(name))
            .map(|text| (name.to_owned(), text))
            .map_err(|source| SimulateError::Unreadable {
                name: name.to_owned(),
                source,
            });
    }
    let name = name.to_owned();
    Err(match nearest(&name, SHIPPED.iter().map(|shipped| shipped.name)) {
        Some(meant) => SimulateError::Misspelt {
            meant: meant.to_owned(),
            name,
        },
        None => SimulateError::Unknown(name),
    })
}

/// What a configuration says. The environment is left out: the same files give the same answer everywhere.
pub(super) fn policies(path: &Path) -> Result<Policies, SimulateError> {
    sentinel_config::read_text(path).map_err(|source| SimulateError::Unreadable {
        name: path.display().to_string(),
        source,
    })?;
    let loaded = sentinel_config::look(path, []).map_err(SimulateError::Policy)?;
    Ok(simulate::policies(&loaded.settings))
}

/// Every scenario that comes with the agent.
fn list(json: bool, paint: Paint) -> Result<String, SimulateError> {
    let about = |shipped: &Shipped| {
        simulate::read(shipped.name, shipped.text)
            .map(|scenario| scenario.about)
            .map_err(SimulateError::Scenario)
    };
    let mut table = Table::indented("");
    let mut entries = Vec::new();
    for shipped in SHIPPED {
        let about = about(shipped)?;
        entries.push(serde_json::json!({ "name": shipped.name, "about": about }));
        table.row([(Tone::Strong, shipped.name.to_owned()), (Tone::Plain, about)]);
    }
    Ok(if json {
        format!("{:#}", serde_json::Value::Array(entries))
    } else {
        table.render(paint)
    })
}
