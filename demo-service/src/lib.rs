//! The small web service that Sentinel keeps up in demos and tests, and that
//! can be asked to fail in every way a real service fails.
//!
//! | module | idea |
//! | --- | --- |
//! | [`cli`] | flags and environment |
//! | [`fault`], [`start_fault`] | what can go wrong; the same for a request and for a flag |
//! | [`chaos`] | which faults are in effect, and putting them there |
//! | [`ballast`], [`deadlock`] | the two faults that need machinery of their own |
//! | [`chaos_routes`] | the faults over HTTP |
//! | [`pages`] | `/health` and `/` |
//! | [`connection`] | a connection one can wait for the end of |
//! | [`server`] | from binding to shutdown |
//! | [`pid_file`], [`log`] | what they say |
//! | [`healthcheck`] | the client for a container's `HEALTHCHECK` |
//! | [`inject`] | the client that breaks a service |
//! | [`receive`] | takes webhooks |

mod ballast;
mod chaos;
mod chaos_routes;
mod cli;
mod connection;
mod deadlock;
mod fault;
mod healthcheck;
mod inject;
mod log;
mod pages;
mod pid_file;
mod receive;
mod server;
mod start_fault;

use std::error::Error;
use std::process::ExitCode;

use cli::Command;

/// The definition of the command line, for its manual page and completions.
pub fn command_line() -> clap::Command {
    cli::definition()
}

/// The whole program. Exits with 0 after a clean stop or a good health check, 1 when either
/// failed, and 2 (from clap) when the command line is wrong.
pub fn run() -> ExitCode {
    let command = cli::parse();
    // One thread: the service is tiny, and a deadlock of that one thread is a
    // deadlock of the service.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail("failed to start the runtime", &error),
    };
    let code = match command {
        Command::Serve(options) => match runtime.block_on(server::run(options)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail("failed to serve", &error),
        },
        Command::Healthcheck(options) => match runtime.block_on(healthcheck::run(&options)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&format!("unhealthy: {}", options.url), &error),
        },
        Command::Inject(options) => match runtime.block_on(inject::run(&options)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&format!("failed to break {}", options.to), &error),
        },
        Command::Receive(options) => match runtime.block_on(receive::run(&options)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail("failed to receive", &error),
        },
    };
    // A name lookup that is still stuck in a blocking thread must not hold up
    // a health check whose deadline has passed.
    runtime.shutdown_background();
    code
}

/// Prints an error and its causes on one line, and answers exit code 1.
fn fail(what: &str, error: &dyn Error) -> ExitCode {
    let mut line = format!("demo-service: {what}: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    eprintln!("{line}");
    ExitCode::FAILURE
}
