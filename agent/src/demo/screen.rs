//! Where the story is shown.

use std::io::{self, Stdout, Write as _};
use std::time::Instant;

use sentinel_text::{Paint, Tone};

use super::timeline::Entry;

/// Stdout, and the moment from which the timeline counts.
#[derive(Debug)]
pub(super) struct Screen {
    stdout: Stdout,
    /// Colours on a terminal alone.
    pub(super) paint: Paint,
    began: Instant,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self {
            stdout: io::stdout(),
            paint: crate::cli::stdout::paint(),
            began: Instant::now(),
        }
    }

    /// Shows text as it is. A reader that has gone is no reason to stop.
    pub(super) fn show(&self, text: &str) {
        let mut stdout = self.stdout.lock();
        let _ = writeln!(stdout, "{text}");
        let _ = stdout.flush();
    }

    /// Shows a line of the timeline.
    pub(super) fn print(&self, at: Instant, entry: &Entry) {
        let time = format!("{:6.2}s", at.saturating_duration_since(self.began).as_secs_f64());
        let (time, sign) = (
            self.paint.text(Tone::Faint, &time),
            self.paint.text(entry.tone, entry.sign),
        );
        self.show(&format!("{time}  {sign} {}", self.paint.text(entry.tone, &entry.text)));
    }

    /// Seconds since the beginning.
    pub(super) fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }
}
