//! Flags and environment.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::uri::Authority;
use clap::builder::FalseyValueParser;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::healthcheck::HealthUrl;
use crate::inject::Injection;
use crate::start_fault::StartFault;

/// A small web service for demos and tests that fails on request.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeOptions,
}

const AFTER_HELP: &str = "\
Faults (--fault, or `demo-service inject` or POST /chaos/NAME?PARAMETER=VALUE while it runs; all need --chaos):
  crash=CODE       exit with this code (0 to 255)               ?code=3
  abort            die of SIGABRT
  hang             accept connections, never answer / and /health
  status=CODE      /health answers this status (200 to 599)     ?code=500
  slow=DURATION    / and /health answer this late (up to 10m)   ?ms=5000
  memory=MIB       grow by this much and keep it (up to 1024)   ?mib=64
  deadlock         block the only thread for good; SIGTERM cannot stop it, only SIGKILL
  refuse=DURATION  do not listen for so long at start           (flag only)
A fault given as a flag is in effect from the start, or DELAY after listening when
written as NAME=VALUE@DELAY, as in crash=3@5s. GET /chaos shows what is in effect,
POST /chaos/reset ends what can be ended.";

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serve until SIGTERM or SIGINT (the default).
    Serve(ServeOptions),
    /// Ask a running service for its health: exit 0 when well, 1 when not.
    Healthcheck(HealthcheckOptions),
    /// Break a running service: exit 0 when it has taken the fault, 1 when not.
    Inject(InjectOptions),
    /// Take webhooks, and write what they say to the log.
    Receive(ReceiveOptions),
}

/// How to serve.
#[derive(Args)]
pub(crate) struct ServeOptions {
    /// Address to listen on; port 0 takes a free one, which the first line on stdout names.
    #[arg(long, value_name = "ADDR", env = "DEMO_LISTEN", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,

    /// What the service calls itself in its answers and its log.
    #[arg(long, env = "DEMO_NAME", default_value = "demo-service", value_parser = parse_name)]
    pub(crate) name: String,

    /// File to keep the process id in while running; a crash leaves it behind.
    #[arg(long, value_name = "FILE", env = "DEMO_PID_FILE")]
    pub(crate) pid_file: Option<PathBuf>,

    /// Allow faults to be injected. Whoever can reach the service can then break it.
    #[arg(long, env = "DEMO_CHAOS", value_parser = FalseyValueParser::new())]
    pub(crate) chaos: bool,

    /// A fault to start with; may be given several times. Needs --chaos.
    #[arg(long = "fault", value_name = "FAULT")]
    pub(crate) faults: Vec<StartFault>,
}

/// What to ask.
#[derive(Args)]
pub(crate) struct HealthcheckOptions {
    /// What to ask; plain http only.
    #[arg(long, default_value = "http://127.0.0.1:8080/health")]
    pub(crate) url: HealthUrl,

    /// How long the whole check may take.
    #[arg(long, default_value = "2s", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Duration,
}

/// What to break.
#[derive(Args)]
pub(crate) struct InjectOptions {
    /// The fault, as below, or `reset`.
    pub(crate) fault: Injection,

    /// Where the service listens.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub(crate) to: Authority,
}

/// Where to take webhooks.
#[derive(Args)]
pub(crate) struct ReceiveOptions {
    /// Address to listen on.
    #[arg(long, value_name = "ADDR", env = "DEMO_LISTEN", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
}

/// What can be typed.
pub(crate) fn definition() -> clap::Command {
    Cli::command()
}

/// Reads the command line; ends the process with a message when it is wrong.
pub(crate) fn parse() -> Command {
    let cli = Cli::parse();
    let command = cli.command.unwrap_or(Command::Serve(cli.serve));
    // Checked here and not by clap's `requires`, which is content with a
    // `DEMO_CHAOS=0`.
    if let Command::Serve(options) = &command
        && !options.faults.is_empty()
        && !options.chaos
    {
        let message = "--fault needs --chaos (or DEMO_CHAOS=1) as well, \
                       so that no service is broken by accident";
        Cli::command().error(ErrorKind::MissingRequiredArgument, message).exit();
    }
    command
}

/// Names are put into HTML and logs as they are, which this makes safe.
fn parse_name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if (1..=64).contains(&text.len()) && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("a name is 1 to 64 letters, digits, `-`, `_` or `.`".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn names_that_could_be_markup_are_refused() {
        assert!(parse_name("shop-1.eu_west").is_ok());
        for bad in ["", "a b", "<b>", "a\n", &"x".repeat(65)] {
            assert!(parse_name(bad).is_err(), "{bad:?}");
        }
    }
}
