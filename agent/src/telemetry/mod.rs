//! Logs: logfmt or JSON on stdout, native fields in journald.
//!
//! A `tracing` event becomes a [`record::Record`] on the thread that logs it, and a line on a thread of its own
//! ([`sink`]): whoever reads the log, be it a terminal, a pipe or journald, may hang without delaying the agent.
//!
//! Without another setting the agent logs at `info`, and the libraries it uses at `warn`. `SENTINEL_LOG`, or else
//! `RUST_LOG`, replaces that; both take the directives of `tracing-subscriber`, such as `sentinel=debug`.

mod callsite;
#[cfg(test)]
mod documented;
mod journal;
mod json;
mod layer;
mod logfmt;
mod message_id;
mod record;
mod sink;
#[cfg(test)]
mod tests;

use std::env;
use std::io;
use std::time::Duration;

use sentinel_config::LogFormat;
use tracing::Level;
use tracing::subscriber::set_global_default;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;

pub use journal::owns_stdout as is_journal;
pub use message_id::message_id;

use journal::Journal;
use layer::RecordLayer;
use sink::{LineStyle, Output, Sink};

/// What is logged unless a variable says otherwise. By the beginning of the target: every crate of the agent.
const DEFAULT_FILTER: [(&str, Level); 1] = [("sentinel", Level::INFO)];

/// Where the filter is looked for, in this order.
const FILTER_VARIABLES: [&str; 2] = ["SENTINEL_LOG", "RUST_LOG"];

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter in the environment is not one.
    #[error("failed to read the log filter in `{variable}`")]
    Filter {
        /// The environment variable.
        variable: &'static str,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// The environment variable is not UTF-8.
    #[error("the log filter in `{variable}` is not valid UTF-8")]
    FilterEncoding {
        /// The environment variable.
        variable: &'static str,
    },
    /// journald was asked for and cannot be reached.
    #[error("failed to reach journald")]
    Journal(#[source] io::Error),
    /// The thread that writes the lines could not be started.
    #[error("failed to start the thread that writes the log")]
    Thread(#[source] io::Error),
    /// Logging was set up before.
    #[error("logging is already set up")]
    AlreadySet,
}

/// Sets up logging for the process; to be called once.
///
/// [`LogFormat::Auto`] is journald when stdout is connected to it (`JOURNAL_STREAM` names stdout), else logfmt. When
/// journald does not answer then, logfmt on stdout is the fallback; a [`LogFormat::Journald`] asked for by name fails
/// instead. `emoji` changes the first words of logfmt lines and nothing else.
pub fn init(format: LogFormat, emoji: bool) -> Result<(), TelemetryError> {
    let filter = filter()?;
    let sink = Sink::start(output(format, emoji)?).map_err(TelemetryError::Thread)?;
    let subscriber = Registry::default().with(filter).with(RecordLayer::new(sink.clone()));
    set_global_default(subscriber).map_err(|_| TelemetryError::AlreadySet)?;
    sink::remember(sink);
    Ok(())
}

/// Waits until everything logged so far is written, at most `deadline`; false when it was not in time.
///
/// To be called before the process ends, as the last lines would be lost otherwise.
pub fn flush(deadline: Duration) -> bool {
    sink::remembered().is_none_or(|sink| sink.flush(deadline))
}

/// The output for `format`.
fn output(format: LogFormat, emoji: bool) -> Result<Output, TelemetryError> {
    let logfmt = || Output::stdout(LineStyle::Logfmt { emoji });
    match format {
        LogFormat::Json => Ok(Output::stdout(LineStyle::Json)),
        LogFormat::Journald => Journal::connect().map(Output::Journal).map_err(TelemetryError::Journal),
        LogFormat::Auto if journal::owns_stdout() => Ok(Journal::connect().map_or_else(|_| logfmt(), Output::Journal)),
        LogFormat::Auto | LogFormat::Logfmt => Ok(logfmt()),
    }
}

/// The filter from the environment, or the default.
fn filter() -> Result<Targets, TelemetryError> {
    for variable in FILTER_VARIABLES {
        match env::var(variable) {
            Ok(text) if text.trim().is_empty() => {}
            Ok(text) => {
                let parsed = text.parse::<Targets>();
                return parsed.map_err(|source| TelemetryError::Filter { variable, source });
            }
            Err(env::VarError::NotPresent) => {}
            Err(env::VarError::NotUnicode(_)) => return Err(TelemetryError::FilterEncoding { variable }),
        }
    }
    Ok(Targets::new().with_default(Level::WARN).with_targets(DEFAULT_FILTER))
}
