//! `sentinel reload`.

use std::fmt::Write as _;

use sentinel_api::ReloadResponse;

use super::View;
use super::client::{Client, Result, parse};

/// Has the agent read its configuration again.
pub(super) async fn run(client: &Client, view: &View) -> Result<String> {
    let answer = client.post(&["reload"], &()).await?;
    if view.json {
        return Ok(answer);
    }
    parse(&answer).map(|response| text(&response))
}

/// What changed, and what is probably not meant.
pub(super) fn text(response: &ReloadResponse) -> String {
    let mut text = String::new();
    for warning in &response.warnings {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "warning: {}", sentinel_text::printable(warning));
    }
    let ReloadResponse {
        added,
        removed,
        changed,
        unchanged,
        ..
    } = response;
    let _ = writeln!(
        text,
        "reloaded; services: {added} added, {removed} removed, {changed} changed, {unchanged} unchanged"
    );
    text
}
