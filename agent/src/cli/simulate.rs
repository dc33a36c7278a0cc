//! `sentinel simulate`: shows what the agent would do in a scripted world.

use std::io::{self, Write as _};
use std::path::Path;

use sentinel_config::nearest;
use sentinel_simulation::{self as simulation, Policies};
use sentinel_text::Table;
use sentinel_text::{Paint, Tone};

use super::args::SimulateArgs;
use super::{Exit, fail, print};
use crate::simulate::{self, SHIPPED, Shipped};

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
        Err(why) => wrong_usage(&why),
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
pub(crate) fn answer(args: &SimulateArgs, json: bool, paint: Paint) -> Result<Answer, String> {
    if args.list {
        return Ok(plain(list(json, paint)?));
    }
    let name = args.scenario.as_deref().unwrap_or_default();
    let (shown, text) = source(name)?;
    if args.print {
        return Ok(plain(text));
    }
    let scenario = simulate::read(&shown, &text).map_err(|errors| format!("wrong scenario\n{errors}"))?;
    let policies = match &args.policy {
        Some(path) => policies(path)?,
        None => simulate::defaults(),
    };
    let outcome = simulation::run(&scenario, &policies).map_err(|error| error.to_string())?;
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
fn source(name: &str) -> Result<(String, String), String> {
    if let Some(shipped) = simulate::find(name) {
        return Ok((format!("{name}.toml"), shipped.text.to_owned()));
    }
    if name.contains(['.', '/']) {
        return sentinel_config::read_text(Path::new(name))
            .map(|text| (name.to_owned(), text))
            .map_err(|error| format!("{name}: {}", error.words()));
    }
    let meant = match nearest(name, SHIPPED.iter().map(|shipped| shipped.name)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("`sentinel simulate --list` shows them; a file is named with its ending, `{name}.toml`"),
    };
    Err(format!("there is no scenario `{name}`; {meant}"))
}

/// What a configuration says. The environment is left out: the same files give the same answer everywhere.
pub(super) fn policies(path: &Path) -> Result<Policies, String> {
    sentinel_config::read_text(path).map_err(|error| format!("{}: {}", path.display(), error.words()))?;
    let loaded = sentinel_config::look(path, []).map_err(|errors| format!("wrong policy\n{errors}"))?;
    Ok(simulate::policies(&loaded.settings))
}

/// Every scenario that comes with the agent.
fn list(json: bool, paint: Paint) -> Result<String, String> {
    let about = |shipped: &Shipped| {
        simulate::read(shipped.name, shipped.text)
            .map(|scenario| scenario.about)
            .map_err(|errors| errors.to_string())
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
