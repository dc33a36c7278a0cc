//! Sentinel.

use std::process::ExitCode;

use clap::Parser;
use sentinel::cli::{self, Cli};

fn main() -> ExitCode {
    cli::control(&Cli::parse()).into()
}
