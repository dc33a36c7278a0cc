//! Why a configuration is not taken on.

use std::error::Error;

use sentinel_config::ConfigErrors;
use sentinel_driver::control::ReloadRefused;
use sentinel_text::chain;

/// Problems named in the log; `sentinel check` shows all of them.
const PROBLEMS_LOGGED: usize = 5;

/// Says why the old configuration is kept.
pub(super) fn refuse(problems: &[String], count: usize) -> ReloadRefused {
    let first: Vec<&str> = problems
        .iter()
        .take(PROBLEMS_LOGGED)
        .filter_map(|problem| problem.lines().next())
        .collect();
    let reason = first.join("; ");
    tracing::error!(
        event = "reload_failed",
        reason,
        errors = count,
        "the configuration was not reloaded; the old one stays in force"
    );
    let text = problems.join("\n");
    let more = match count - problems.len() {
        0 => String::new(),
        more => format!("\nand {more} more"),
    };
    ReloadRefused(format!(
        "{text}{more}\n\n{}; the old configuration stays in force",
        sentinel_text::count(count, "error")
    ))
}

/// The same, of what is wrong with the configuration.
pub(super) fn refuse_errors(errors: &ConfigErrors) -> ReloadRefused {
    let problems: Vec<String> = errors.problems.iter().map(ToString::to_string).collect();
    refuse(&problems, errors.count())
}

/// The same, of one error and what it comes from.
pub(super) fn refuse_error(error: &dyn Error) -> ReloadRefused {
    refuse(&[chain(error)], 1)
}
