//! `sentinel demo`: the whole story on this machine, with nothing installed.
//!
//! The real agent, as a process of its own with its own configuration, store and control socket, keeps the real
//! `demo-service` up and tells a webhook on loopback. Three faults later a table says what came of it.
//!
//! * `fault`: what goes wrong
//! * `stage`: what the story needs; `settings`: the agent's configuration; `agent`: its process and log; `receiver`: who
//!   is reported; `subprocesses`: nothing outlives the demo
//! * `story`: from the first start to the last alert
//! * `timeline`, `report`: log lines, alerts and outcomes as text; `screen`: where it is shown

mod agent;
mod error;
mod fault;
mod receiver;
mod report;
mod screen;
mod settings;
mod stage;
mod story;
mod subprocesses;
mod timeline;

use std::io::{self, Write as _};
use std::path::Path;

use sentinel_text::{Tone, chain, span_secs};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::{DemoArgs, Exit};
use error::DemoError;
use report::Outcome;
use screen::Screen;
use stage::{DemoEvent, Stage};

/// The service that is kept up, and the program that it is.
const SERVICE: &str = "demo-service";

/// Times to begin again when another party takes the port that was reserved for the service.
const SETTINGS: u32 = 3;

/// Runs the demo. [`Exit::Ok`] means that every fault was healed and every alert arrived.
pub async fn run(args: &DemoArgs) -> Exit {
    let screen = Screen::new();
    let mut stage = None;
    let result = match Interrupt::new() {
        Ok(mut interrupt) => perform(args, &screen, &mut stage, &mut interrupt).await,
        Err(error) => Err(DemoError::doing("listen for signals")(error)),
    };
    let exit = match result {
        Ok(exit) => exit,
        Err(error) => {
            explain(&error, stage.as_ref());
            Exit::Failure
        }
    };
    if let Some(stage) = stage {
        stage.close().await;
    }
    exit
}

/// The whole performance. What is set up is left in `stage`, to be closed.
async fn perform(
    args: &DemoArgs,
    screen: &Screen,
    stage: &mut Option<Stage>,
    interrupt: &mut Interrupt,
) -> Result<Exit, DemoError> {
    let set = tokio::select! {
        set = set_up(screen, stage) => set?,
        () = interrupt.wait() => return Ok(interrupted()),
    };
    let mut outcomes = Vec::new();
    let played = tokio::select! {
        played = story::play(set, screen, &mut outcomes) => Some(played),
        () = interrupt.wait() => None,
    };
    let Some(played) = played else { return Ok(interrupted()) };
    let good = close_story(screen, &outcomes);
    played?;
    if args.keep {
        screen.show(&invitation(set));
        tokio::select! {
            ended = play_on(set, screen) => return Err(ended),
            () = interrupt.wait() => {}
        }
    }
    Ok(if good { Exit::Ok } else { Exit::Failure })
}

/// Sets the stage and has the service started, on another port if need be.
async fn set_up<'a>(screen: &Screen, place: &'a mut Option<Stage>) -> Result<&'a mut Stage, DemoError> {
    let program = std::env::current_exe().map_err(DemoError::doing("find this program"))?;
    let service = stage::find_service(&program, std::env::var_os("PATH").as_deref())?;
    for last in (0..SETTINGS).rev() {
        let stage = place.insert(Stage::set(program.clone(), service.clone()).await?);
        story::await_agent(stage).await?;
        screen.show(&introduction(stage));
        match story::start(stage, screen).await {
            Err(DemoError::PortTaken) if last > 0 => {}
            Err(error) => return Err(error),
            Ok(()) => break,
        }
        if let Some(stage) = place.take() {
            stage.close().await;
        }
    }
    place.as_mut().ok_or(DemoError::PortTaken)
}

/// Who is who, and what is not as by default.
fn introduction(stage: &Stage) -> String {
    format!(
        "The agent keeps a small web service up, on this machine and with nothing installed.\n\
         \n  \
         demo-service  http://{}/health, started and watched by the agent as a process\n  \
         agent         sentinel {}; its configuration, store and control socket are in {}\n  \
         alerts        signed webhooks to {}, which the demo receives and verifies\n\
         \n\
         So that it takes seconds, these settings are not the defaults (which stand in parentheses):\n  \
         {}\n",
        stage.address,
        crate::version::VERSION,
        stage.directory().display(),
        stage.receiver.url,
        report::quick(),
    )
}

/// The table and the verdict.
fn close_story(screen: &Screen, outcomes: &[Outcome]) -> bool {
    let (good, verdict) = report::verdict(outcomes);
    let tone = if good { Tone::Good } else { Tone::Bad };
    screen.show("");
    screen.show(&report::table(outcomes, screen.paint));
    let verdict = screen.paint.text(tone, &verdict);
    screen.show("Times count from the injection of the fault, with the quick settings named above.");
    screen.show(&format!("{verdict} It took {}.", span_secs(screen.seconds())));
    good
}

/// What to try while everything stays up.
fn invitation(stage: &Stage) -> String {
    let agent = format!("{} --config {}", typed(&stage.program), typed(&stage.config));
    let chaos = format!("http://{}/chaos", stage.address);
    format!(
        "\nEverything stays up. In another terminal, try:\n\
         \n  \
         {agent} status\n  \
         {agent} incidents\n  \
         {agent} incidents 1\n  \
         curl -X POST '{chaos}/crash?code=7'\n  \
         curl -X POST '{chaos}/hang'\n  \
         curl -X POST '{chaos}/status?code=503'\n\
         \n\
         Ctrl-C ends the agent and the service, and removes their directory.\n"
    )
}

/// `path` as it is typed in a shell.
fn typed(path: &Path) -> String {
    let path = path.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "/._-+".contains(c);
    if path.chars().all(plain) {
        path.into_owned()
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}

/// Shows what happens until the agent ends.
async fn play_on(stage: &mut Stage, screen: &Screen) -> DemoError {
    loop {
        match stage.next().await {
            DemoEvent::AgentEnded => return DemoError::AgentEnded(stage.agent.ending().await),
            demo_event => story::show(screen, &demo_event),
        }
    }
}

fn interrupted() -> Exit {
    complain("sentinel: the demo was interrupted");
    Exit::Failure
}

/// Writes a line to stderr, which may be closed.
fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{}", sentinel_text::printable(line));
}

/// Says on stderr what went wrong, and what the agent said last.
fn explain(error: &DemoError, stage: Option<&Stage>) {
    complain(&format!("sentinel: {}", chain(&error)));
    let mut tail = stage.into_iter().flat_map(|stage| stage.agent.tail()).peekable();
    if tail.peek().is_some() {
        complain("The agent's last lines:");
        tail.for_each(|line| complain(&format!("  {line}")));
    }
}

/// The signals that end the demo: Ctrl-C, a polite request, a terminal that closes.
struct Interrupt([Signal; 3]);

impl Interrupt {
    fn new() -> io::Result<Self> {
        Ok(Self([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    async fn wait(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_can_be_pasted_into_a_shell() {
        for (path, expected) in [
            ("/tmp/demo-1/sentinel.toml", "/tmp/demo-1/sentinel.toml"),
            ("/tmp/a b", "'/tmp/a b'"),
            ("/tmp/it's $HOME", r"'/tmp/it'\''s $HOME'"),
        ] {
            assert_eq!(typed(Path::new(path)), expected);
        }
    }
}
