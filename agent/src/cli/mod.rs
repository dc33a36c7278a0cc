//! The command line.
//!
//! `args` says what can be typed; each command that talks to a running agent is a file of its own, made of a request
//! and a pure function from the answer to text.

mod args;
mod client;
mod exit;
mod incidents;
mod operator;
mod paint;
mod socket_path;
mod status;
mod table;
#[cfg(test)]
mod tests;
mod words;

pub use args::{Cli, Command, DemoArgs};
pub use client::{Client, ClientError};
pub use exit::Exit;
pub use socket_path::control_socket;

use std::io::{self, Write};

use jiff::tz::TimeZone;

use paint::Paint;

/// Carries out a command that talks to a running agent, and writes its answer to stdout, or why there is none to stderr.
///
/// `run`, `check` and `demo` are not among them: they need the whole agent, and answer [`Exit::Usage`] here.
pub fn control(cli: &Cli) -> Exit {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(Exit::Unreachable, &format!("failed to start: {error}")),
    };
    match runtime.block_on(answer(cli)) {
        Ok(text) => print(&text),
        Err(error) => fail(error.exit(), &error.explain()),
    }
}

/// What to write to stdout.
async fn answer(cli: &Cli) -> Result<String, ClientError> {
    let client = Client::new(&control_socket(cli))?;
    let view = View {
        json: cli.json,
        paint: Paint::for_stdout(),
        zone: TimeZone::system(),
    };
    match &cli.command {
        Command::Status { name } => status::run(&client, &view, name.as_deref()).await,
        Command::Incidents { id, service, limit } => {
            incidents::run(&client, &view, *id, service.as_deref(), *limit).await
        }
        Command::Restart { name } => operator::restart(&client, &view, name).await,
        Command::Pause { name, duration } => operator::pause(&client, &view, name, *duration).await,
        Command::Resume { name } => operator::resume(&client, &view, name).await,
        Command::Run | Command::Check | Command::Demo(_) => Err(ClientError::NotHere),
    }
}

/// How to show an answer.
#[derive(Clone, Debug)]
struct View {
    /// As it came, not for people.
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
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => fail(Exit::No, &format!("failed to write: {error}")),
        _ => Exit::Ok,
    }
}

/// Says on stderr why there is no answer.
fn fail(exit: Exit, why: &str) -> Exit {
    let _ = writeln!(io::stderr(), "sentinel: {}", crate::telemetry::printable(why));
    exit
}
