//! Colours, where the reader can see them.

use std::env;
use std::io::{self, IsTerminal};

/// Whether to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Paint(bool);

/// What a text means to the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Nothing particular.
    Plain,
    /// As it should be.
    Good,
    /// On its way, or to be looked at.
    Warn,
    /// Not as it should be.
    Bad,
    /// Beside the point.
    Faint,
    /// A heading.
    Strong,
}

impl Paint {
    /// Coloured on a terminal, unless `NO_COLOR` is set (no-color.org) or the terminal is dumb.
    pub(crate) fn for_stdout() -> Self {
        let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|value| value == "dumb");
        Self(io::stdout().is_terminal() && !no_color && !dumb)
    }

    /// Never, or always.
    #[cfg(test)]
    pub(crate) const fn fixed(on: bool) -> Self {
        Self(on)
    }

    /// `text` in `tone`, made harmless first.
    pub(crate) fn text(self, tone: Tone, text: &str) -> String {
        let text = crate::telemetry::printable(text);
        let code = match tone {
            Tone::Plain => return text.into_owned(),
            Tone::Good => "32",
            Tone::Warn => "33",
            Tone::Bad => "1;31",
            Tone::Faint => "2",
            Tone::Strong => "1",
        };
        if self.0 {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.into_owned()
        }
    }
}
