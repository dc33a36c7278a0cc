//! `[heartbeat]`.

use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::receivers::{either, url};
use crate::findings::Findings;
use crate::inputs::HeartbeatInput;
use crate::rules;
use crate::secret::Secret;
use crate::settings::HeartbeatSettings;

/// As the services that wait for heartbeats expect it by default.
const INTERVAL: Duration = Duration::from_secs(60);

pub(super) fn settings(input: HeartbeatInput, findings: &mut Findings) -> Option<HeartbeatSettings> {
    let file = input.url_file.as_deref();
    let found = either("heartbeat", "url", input.url, file, findings);
    if found.is_none() && !findings.is_bad("heartbeat") {
        findings.wrong("heartbeat", "does not say whom to ask; add `url` or `url_file`");
    }
    let found = found?;
    url("heartbeat.url_file", &found, file.is_some(), findings);
    let fail_url = match input.fail_url {
        Some(fail_url) => fail_url,
        None => with_fail(&found)?,
    };
    Some(HeartbeatSettings {
        url: found,
        fail_url,
        interval: input.interval.unwrap_or(INTERVAL),
    })
}

/// `url` with `/fail` at the end of its path, as healthchecks.io and those like it have it.
fn with_fail(url: &Secret) -> Option<Secret> {
    let mut url = rules::http_url(url.expose_secret()).ok()?;
    let path = format!("{}/fail", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Some(Secret::from(String::from(url)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failing_is_reported_beside_the_address() {
        let table = [
            ("https://hc.example/uuid", "https://hc.example/uuid/fail"),
            ("https://hc.example/uuid/?a=b", "https://hc.example/uuid/fail?a=b"),
            ("http://127.0.0.1:1", "http://127.0.0.1:1/fail"),
        ];
        for (url, expected) in table {
            assert_eq!(with_fail(&url.into()).unwrap().expose_secret(), expected);
        }
    }
}
