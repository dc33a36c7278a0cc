//! Colours by meaning, for terminals that show them.

/// Whether to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint(bool);

/// What a text means to the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
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
    /// Never, or always.
    pub const fn fixed(on: bool) -> Self {
        Self(on)
    }

    /// `text` in `tone`, made harmless first.
    pub fn text(self, tone: Tone, text: &str) -> String {
        let text = crate::printable(text);
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
