//! `sentinel restart`, `pause` and `resume`.

use std::time::Duration;

use sentinel_api::PauseBody;
use sentinel_text::span_secs;
use serde::Serialize;

use super::View;
use super::client::{Client, Result};

/// Asks for a restart.
pub(super) async fn restart(client: &Client, view: &View, name: &str) -> Result<String> {
    let done = format!("restart of `{name}` requested; follow it with `sentinel status {name}`");
    request(client, view, name, "restart", &(), done).await
}

/// Asks for a pause, for `duration` or until resumed.
pub(super) async fn pause(client: &Client, view: &View, name: &str, duration: Option<Duration>) -> Result<String> {
    let duration_seconds = duration.map(|duration| duration.as_secs());
    let done = match duration {
        Some(duration) => format!("`{name}` is paused for {}", span_secs(duration.as_secs_f64())),
        None => format!("`{name}` is paused until `sentinel resume {name}`"),
    };
    request(client, view, name, "pause", &PauseBody { duration_seconds }, done).await
}

/// Asks for the end of a pause.
pub(super) async fn resume(client: &Client, view: &View, name: &str) -> Result<String> {
    request(client, view, name, "resume", &(), format!("`{name}` is resumed")).await
}

async fn request(
    client: &Client,
    view: &View,
    name: &str,
    verb: &str,
    body: &impl Serialize,
    done: String,
) -> Result<String> {
    let answer = client.post(&["services", name, verb], body).await?;
    Ok(if view.json { answer } else { done })
}
