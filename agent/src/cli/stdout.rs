//! What the terminal of the reader can show.

use std::env;
use std::io::{self, IsTerminal};

use sentinel_text::Paint;

/// Coloured on a terminal, unless `NO_COLOR` is set (no-color.org) or the terminal is dumb.
pub(crate) fn paint() -> Paint {
    let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = env::var_os("TERM").is_some_and(|value| value == "dumb");
    Paint::fixed(io::stdout().is_terminal() && !no_color && !dumb)
}
