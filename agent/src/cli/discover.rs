//! `sentinel discover`: a configuration for what runs, proposed.

use std::io::{self, Write as _};

use sentinel_text::printable;

use super::{Cli, DiscoverArgs, Exit, print};
use crate::suggest::{json, suggest, toml};

/// What is proposed goes to stdout, to be kept in a file; what could not be seen to stderr as well, where operators see it
/// then.
pub(super) async fn run(cli: &Cli, args: &DiscoverArgs) -> Exit {
    let proposals = suggest(&cli.config, args.probe).await;
    for note in &proposals.notes {
        let _ = writeln!(io::stderr(), "sentinel: {}", printable(note));
    }
    if cli.json {
        let text = serde_json::to_string_pretty(&json(&proposals)).unwrap_or_default();
        print(&text)
    } else {
        print(&toml(&proposals))
    }
}
