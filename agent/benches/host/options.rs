//! What is measured, and of what.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};

use crate::inside;

/// Samples of each latency; enough for a median, few enough for a coffee.
const SAMPLES: usize = 25;

/// How long the installed service is watched: what grows shows by then.
const MINUTES: usize = 10;

/// The command line.
#[derive(Debug)]
pub struct Options {
    /// Parts to measure, in order.
    pub parts: Vec<String>,
    /// Samples of each latency.
    pub samples: usize,
    /// Minutes that the installed service is watched.
    pub minutes: usize,
}

impl Options {
    /// From what follows the program's name.
    pub fn parse(arguments: &[String]) -> anyhow::Result<Self> {
        let mut options = Self {
            parts: Vec::new(),
            samples: SAMPLES,
            minutes: MINUTES,
        };
        let mut arguments = arguments.iter().filter(|argument| *argument != "--bench");
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--samples" => options.samples = number("--samples", arguments.next())?,
                "--minutes" => options.minutes = number("--minutes", arguments.next())?,
                part if inside::PARTS.contains(&part) => options.parts.push(part.to_owned()),
                other => bail!("no part is called `{other}`; there are {}", inside::PARTS.join(", ")),
            }
        }
        if options.parts.is_empty() {
            options.parts = inside::PARTS.map(str::to_owned).to_vec();
        }
        Ok(options)
    }
}

fn number(option: &str, value: Option<&String>) -> anyhow::Result<usize> {
    let number = value.and_then(|value| value.parse().ok()).filter(|number| *number > 0);
    number.with_context(|| format!("{option} needs a number above zero"))
}

/// The agent to measure: a release build, whatever profile this program was built with.
///
/// `SENTINEL_BENCH_AGENT` names another one.
pub fn agent() -> anyhow::Result<PathBuf> {
    let path =
        std::env::var_os("SENTINEL_BENCH_AGENT").map_or_else(|| target_dir().join("release/sentinel"), PathBuf::from);
    ensure!(
        path.exists(),
        "{} is missing: run `cargo build --release -p sentinel` first",
        path.display()
    );
    Ok(path)
}

/// The folder that cargo builds into.
pub fn target_dir() -> PathBuf {
    let inner = Path::new(env!("CARGO_TARGET_TMPDIR"));
    inner.parent().unwrap_or(inner).to_owned()
}
