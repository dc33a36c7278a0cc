//! The command line.
//!
//! `args` says what can be typed; each command that talks to a running agent is a file of its own, made of a request
//! and a pure function from the answer to text.

mod alerts;
mod args;
mod check;
mod check_host;
mod client;
mod deploy;
mod discover;
mod doctor;
mod exit;
mod health;
mod incidents;
mod names;
mod operator;
mod polkit_rules;
mod queue;
mod reload;
mod replay;
mod route;
mod silence;
mod simulate;
mod socket_path;
mod status;
pub(crate) mod stdout;
#[cfg(test)]
mod tests;

pub use args::{
    AlertsCommand, CheckArgs, Cli, Command, ControlCommand, DemoArgs, DeployArgs, DiscoverArgs, HealthArgs,
    PolkitRulesArgs, ReplayArgs, RunArgs, SilenceCommand, SimulateArgs,
};
pub use check::check;
use check::{Look, check_with};
pub use client::{Client, ClientError};
pub use exit::Exit;
use sentinel_api::ModeWord;
use sentinel_docker::Search;
use sentinel_systemd::BusAddress;
use sentinel_text::chain;
pub use socket_path::control_socket;

use std::collections::BTreeSet;
use std::future::Future;
use std::io::{self, Write};
use std::path::Path;

use jiff::tz::TimeZone;
use rustix::process::geteuid;

use crate::{app, demo, root_guard};
use sentinel_base::watchdog;
use sentinel_config::discovery::{Discovery, Source};
use sentinel_config::{ServiceSettings, Settings, Target};
use sentinel_text::Paint;

/// Carries out a command.
pub fn run(cli: &Cli) -> Exit {
    match &cli.command {
        Command::Run(args) => run_agent(&cli.config, args),
        Command::Check(args) => run_check(cli, args),
        Command::Demo(args) => on_runtime(demo::run(args)).unwrap_or_else(|exit| exit),
        Command::Deploy(args) => on_runtime(deploy(cli, args)).unwrap_or_else(|exit| exit),
        Command::Discover(args) => on_runtime(discover::run(cli, args)).unwrap_or_else(|exit| exit),
        Command::Doctor => doctor::run(cli),
        Command::Health(args) => on_runtime(ask_health(cli, args)).unwrap_or_else(|exit| exit),
        Command::PolkitRules(args) => on_runtime(polkit_rules::run(cli, args)).unwrap_or_else(|exit| exit),
        Command::Simulate(args) => simulate::run(args, cli.json),
        Command::Alerts(AlertsCommand::Route(args)) => route::run(&cli.config, args, cli.json),
        Command::Alerts(AlertsCommand::Test { receiver }) => {
            on_runtime(alerts::run(cli, receiver.as_deref())).unwrap_or_else(|exit| exit)
        }
        Command::Alerts(AlertsCommand::Queue { limit }) => {
            on_runtime(show_queue(cli, *limit)).unwrap_or_else(|exit| exit)
        }
        Command::Names { kind } => on_runtime(list_names(cli, *kind)).unwrap_or_else(|exit| exit),
        Command::Replay(args) => on_runtime(replay::run(cli, args)).unwrap_or_else(|exit| exit),
        Command::Control(command) => on_runtime(control(cli, command)).unwrap_or_else(|exit| exit),
    }
}

/// Runs the agent until it is asked to stop.
fn run_agent(config: &Path, args: &RunArgs) -> Exit {
    if !args.root_on_host_bus
        && let Err(error) = root_guard::check()
    {
        return fail(Exit::Failure, &error.to_string());
    }
    match on_runtime(app::run(config)) {
        Ok(Ok(())) => Exit::Ok,
        Ok(Err(error)) => {
            let why = format!("{error:#}");
            // Stays when the process has ended. The journal has the rest of the lines.
            watchdog::status(&format!("does not start: {}", why.lines().next().unwrap_or_default()));
            // Each error of a configuration has a line.
            why.lines().fold(Exit::Failure, |_, line| fail(Exit::Failure, line))
        }
        Err(exit) => exit,
    }
}

/// What is found on this host now, and what could not be seen.
fn look_around(settings: &Settings, wanted: &BTreeSet<Source>) -> (Discovery, Vec<String>) {
    let search = Search {
        address: settings.agent.docker.clone(),
        labels: wanted.contains(&Source::Labels),
        host: wanted.contains(&Source::HostContainers),
    };
    let looked = on_runtime(async {
        let (mut seen, mut notes) = (Vec::new(), Vec::new());
        if search.labels || search.host {
            match sentinel_docker::discover_once(&search).await {
                Ok(found) => seen.extend(found),
                Err(error) => notes.push(format!("containers could not be seen: {}", chain(&error))),
            }
        }
        let is_container = |service: &ServiceSettings| matches!(service.target, Some(Target::Container(_)));
        if settings.services.iter().any(is_container)
            && matches!(
                sentinel_docker::answers(&search.address).await,
                Ok(sentinel_docker::Answers::Podman)
            )
        {
            notes.push(sentinel_docker::PODMAN.to_owned());
        }
        if wanted.contains(&Source::UnitFiles) {
            // Without systemd there are no unit files, and nothing to say about that.
            let found = sentinel_systemd::unit_sections(&BusAddress::System).await;
            seen.extend(found.ok().map(|found| (Source::UnitFiles, found)));
        }
        if wanted.contains(&Source::HostUnits) {
            match sentinel_systemd::discover_units_once().await {
                Ok(found) => seen.push((Source::HostUnits, found)),
                Err(error) => notes.push(format!("systemd services could not be seen: {}", chain(&error))),
            }
        }
        (seen, notes)
    });
    looked.map_or_else(
        |_| Default::default(),
        |(seen, notes)| (seen.into_iter().collect(), notes),
    )
}

/// The services that the running agent heals, if there is one and it answers.
async fn healed_now(cli: &Cli) -> BTreeSet<String> {
    let Ok(client) = Client::new(&control_socket(cli)) else {
        return BTreeSet::new();
    };
    let status = status::ask(&client).await;
    let services = status.map(|status| status.services).unwrap_or_default();
    let healed = services.into_iter().filter(|service| service.mode == ModeWord::Heal);
    healed.map(|service| service.name).collect()
}

/// Makes root the user whom the agent runs as, for good, and answers who that is: what counts of secrets is what the agent
/// can read.
fn become_the_agent() -> Option<String> {
    if !geteuid().is_root() {
        return None;
    }
    let account = on_runtime(crate::doctor::unit_user()).ok()??;
    account.assume().ok()?;
    Some(account.name)
}

/// What is wrong with the configuration goes to stderr, what would be watched to stdout; JSON always to stdout.
fn run_check(cli: &Cli, args: &CheckArgs) -> Exit {
    let mut text = Vec::new();
    let (env, now) = (sentinel_config::environment(), sentinel_base::clock::wall());
    let mut user = None;
    let checked = if args.quiet {
        // Only the files are asked about.
        check(&cli.config, env, cli.json, now, &mut text)
    } else {
        let look = |settings: &Settings, wanted: &BTreeSet<Source>| {
            let (found, unseen) = look_around(settings, wanted);
            let host = on_runtime(check_host::look(settings)).unwrap_or_default();
            let about = check_host::judge(settings, &host);
            // Who may not ask the agent, or has none, reads nothing of it.
            let healed = on_runtime(healed_now(cli)).unwrap_or_default();
            // Only root sees all of the host; the configuration is checked over what was found.
            user = become_the_agent();
            Look {
                found,
                unseen,
                about,
                healed,
            }
        };
        check_with(&cli.config, env, cli.json, now, look, &mut text)
    };
    match checked {
        Ok(true) if args.quiet => Exit::Ok,
        Ok(true) => print(&String::from_utf8_lossy(&text)),
        Ok(false) if cli.json => {
            print(&String::from_utf8_lossy(&text));
            Exit::Failure
        }
        Ok(false) => {
            if let Some(user) = user {
                let _ = writeln!(
                    text,
                    "as seen by `{user}`, the agent's user; `sentinel doctor` says more"
                );
            }
            let _ = io::stderr().write_all(&text);
            Exit::Failure
        }
        Err(error) => fail(Exit::Failure, &format!("failed to write: {error}")),
    }
}

/// Runs `task` on the one thread that everything shares.
fn on_runtime<T>(task: impl Future<Output = T>) -> Result<T, Exit> {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => Ok(runtime.block_on(task)),
        Err(error) => Err(fail(Exit::Failure, &format!("failed to start: {error}"))),
    }
}

/// Runs a command with a service left alone.
async fn deploy(cli: &Cli, args: &DeployArgs) -> Exit {
    match Client::new(&control_socket(cli)) {
        Ok(client) => deploy::run(&client, args).await,
        Err(error) => fail(error.exit(), &error.explain()),
    }
}

/// Asks whether the agent works.
async fn ask_health(cli: &Cli, args: &HealthArgs) -> Exit {
    let asked = match Client::new(&control_socket(cli)) {
        Ok(client) => health::run(&client, &view(cli), args.timeout).await,
        Err(error) => Err(error.into()),
    };
    match asked {
        Ok(text) => print(&text),
        Err(error) => fail(Exit::Failure, &error.to_string()),
    }
}

/// Asks a running agent, and writes its answer to stdout, or why there is none to stderr.
async fn control(cli: &Cli, command: &ControlCommand) -> Exit {
    match answer(cli, command).await {
        Ok(text) => print(&text),
        Err(ClientError::Refused(why)) if matches!(command, ControlCommand::Reload) => refuse(&why),
        Err(error) => fail(error.exit(), &error.explain()),
    }
}

/// Says on stderr what is wrong with a configuration, line by line as `check` does.
fn refuse(why: &str) -> Exit {
    let mut stderr = io::stderr().lock();
    for line in why.lines() {
        let _ = writeln!(stderr, "{}", sentinel_text::printable(line));
    }
    Exit::Failure
}

/// Shows what waits to be reported.
async fn show_queue(cli: &Cli, limit: u32) -> Exit {
    let answer = async {
        let client = Client::new(&control_socket(cli))?;
        queue::run(&client, &view(cli), limit).await
    };
    match answer.await {
        Ok(text) => print(&text),
        Err(error) => fail(error.exit(), &error.explain()),
    }
}

/// Names for a shell. One that asks for them in the middle of a line has no use for an error.
async fn list_names(cli: &Cli, kind: names::NameKind) -> Exit {
    let answer = async {
        let client = Client::new(&control_socket(cli))?;
        names::run(&client, kind).await
    };
    match answer.await {
        Ok(text) if text.is_empty() => Exit::Ok,
        Ok(text) => print(&text),
        Err(_) => Exit::Ok,
    }
}

/// What to write to stdout.
async fn answer(cli: &Cli, command: &ControlCommand) -> Result<String, ClientError> {
    let client = Client::new(&control_socket(cli))?;
    let view = view(cli);
    match command {
        ControlCommand::Status { name } => status::run(&client, &view, name.as_deref()).await,
        ControlCommand::Incidents { id, service, limit } => {
            incidents::run(&client, &view, *id, service.as_deref(), *limit).await
        }
        ControlCommand::Restart { name } => operator::restart(&client, &view, name).await,
        ControlCommand::Pause { name, duration } => operator::pause(&client, &view, name, *duration).await,
        ControlCommand::Resume { name } => operator::resume(&client, &view, name).await,
        ControlCommand::Silence { command } => silence::run(&client, &view, command).await,
        ControlCommand::Ack { id, text } => silence::acknowledge(&client, &view, *id, text).await,
        ControlCommand::Reload => reload::run(&client, &view).await,
    }
}

fn view(cli: &Cli) -> View {
    View {
        json: cli.json,
        paint: stdout::paint(),
        zone: TimeZone::system(),
    }
}

/// How to show an answer.
#[derive(Clone, Debug)]
struct View {
    /// As it came, not for operators.
    json: bool,
    /// With colours or without.
    paint: Paint,
    /// Where the reader is.
    zone: TimeZone,
}

/// Writes `text` to stdout. A reader that has seen enough and closed the pipe is no failure.
fn print(text: &str) -> Exit {
    let mut stdout = io::stdout().lock();
    let newline = if text.ends_with('\n') { "" } else { "\n" };
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.write_all(newline.as_bytes()))
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            fail(Exit::Failure, &format!("failed to write: {error}"))
        }
        _ => Exit::Ok,
    }
}

/// Says on stderr why there is no answer.
fn fail(exit: Exit, why: &str) -> Exit {
    let _ = writeln!(io::stderr(), "sentinel: {}", sentinel_text::printable(why));
    exit
}
