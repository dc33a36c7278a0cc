//! Who is notified: a webhook that notes when it has what.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::Value;

use super::{clock, http};

/// Where it listens.
pub const PORT: u16 = 9100;

/// Whoever needs longer is taken for broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// A message, once all of it was there.
struct Notified {
    at: u64,
    /// Who told, or which service it is about.
    about: String,
}

/// The end where messages come out.
pub struct Inbox(Receiver<Notified>);

impl Inbox {
    /// Begins to listen.
    pub fn open() -> Self {
        let (sender, inbox) = sync_channel(1024);
        std::thread::spawn(move || {
            let failed = http::serve(PORT, move |request| take(&sender, request));
            eprintln!("the receiver ended: {failed:?}");
        });
        Self(inbox)
    }

    /// Waits for the message `about`, and answers when it was there. Others are dropped.
    pub fn await_message(&self, about: &str) -> anyhow::Result<u64> {
        let end = Instant::now() + PATIENCE;
        loop {
            let reported = self
                .0
                .recv_timeout(end.saturating_duration_since(Instant::now()))
                .with_context(|| format!("nothing about {about} arrived within {PATIENCE:?}"))?;
            if reported.about == about {
                return Ok(reported.at);
            }
        }
    }

    /// Drops what has come.
    pub fn clear(&self) {
        while self.0.try_recv().is_ok() {}
    }
}

/// Sentinel tells by JSON, of which only the news of a failure counts; Monit has somebody ask for `/ABOUT`.
fn take(sender: &SyncSender<Notified>, request: &http::Request) -> (u16, String) {
    let at = clock::now();
    let about = match request.line.split_once(" /") {
        Some((_, "")) => fired(&request.body),
        Some((_, path)) => Some(path.to_owned()),
        None => None,
    };
    if let Some(about) = about {
        // Nothing listens any more when the measuring is over.
        let _ = sender.send(Notified { at, about });
    }
    (200, String::new())
}

fn fired(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let data = body.get("data")?;
    (data.get("kind")? == "fired").then_some(())?;
    data.get("service")?.as_str().map(str::to_owned)
}
