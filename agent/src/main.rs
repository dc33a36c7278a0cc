//! The one binary, `sentinel`.

use std::process::ExitCode;

use clap::Parser as _;
use sentinel::cli::{self, Cli};

fn main() -> ExitCode {
    let cli = Cli::parse();
    // One provider for every TLS client of the process; it is only ever set here.
    let _ = rustls::crypto::ring::default_provider().install_default();
    cli::run(&cli).into()
}
