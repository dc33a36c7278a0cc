//! Silences and acknowledgements over the control API. Whoever asks is named by the kernel, not by what they say.

use std::fs;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::StatusCode;
use sentinel_api::{AckBody, AckResponse, SilenceBody, SilenceEntry, SilencesResponse};
use sentinel_driver::control::{AlertRefusal, AlertRequest, ControlRequest};
use sentinel_engine::IncidentId;
use sentinel_engine::alerting::{AckError, COMMENT_MAX, Match, SILENCE_MAX, SilenceError};
use tracing::info;

use super::errors::Refusal;
use super::routes::{Answer, Asker, Shared, bad_request, body_of};
use super::socket::Peer;

/// Services, severities or labels in one silence.
const PARTS_MAX: usize = 32;

/// What the kernel answers for a user whom the agent's user namespace does not have, as in some containers.
const OVERFLOW_UID: u32 = 65534;

/// Who asked: `alice`, or `uid 1000` when this host has no name for them.
fn author(peer: Peer) -> String {
    let Some(uid) = peer.uid else {
        return "somebody".to_owned();
    };
    named(uid, &fs::read_to_string("/etc/passwd").unwrap_or_default())
}

/// The name of a user by the text of `passwd(5)`, or the number.
fn named(uid: u32, users: &str) -> String {
    let number = uid.to_string();
    let mut rows = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let row = rows.find(|row| uid != OVERFLOW_UID && row.get(2) == Some(&number.as_str()));
    let name = row.and_then(|row| row.first().copied()).filter(|name| !name.is_empty());
    name.map_or_else(|| format!("uid {uid}"), str::to_owned)
}

fn peer(asker: Asker) -> Peer {
    asker.map_or(Peer::default(), |axum::Extension(ConnectInfo(peer))| peer)
}

/// `GET /v1/silences`
pub(super) async fn list(State(shared): State<Shared>) -> Answer<SilencesResponse> {
    let wrap = |reply| ControlRequest::Alerts(AlertRequest::Silences { reply });
    let silences = shared.driver.ask(wrap).await?;
    Ok(Json(SilencesResponse { silences }))
}

/// `POST /v1/silences`
pub(super) async fn add(
    State(shared): State<Shared>,
    asker: Asker,
    body: Bytes,
) -> Result<(StatusCode, Json<SilenceEntry>), Refusal> {
    let body: SilenceBody = body_of(&body)?;
    let duration = duration(body.duration_seconds)?;
    let comment = line(&body.comment, "comment")?;
    let matches = matches(body)?;
    let peer = peer(asker);
    let by = author(peer);
    let wrap = |reply| {
        ControlRequest::Alerts(AlertRequest::AddSilence {
            matches,
            duration,
            by,
            comment,
            reply,
        })
    };
    let entry = shared.driver.ask(wrap).await??;
    info!(
        event = "control",
        request = "silence",
        silence = entry.id,
        uid = peer.uid,
        pid = peer.pid
    );
    Ok((StatusCode::CREATED, Json(entry)))
}

/// `POST /v1/silences/ID/expire`
pub(super) async fn expire(State(shared): State<Shared>, asker: Asker, Path(id): Path<u64>) -> Answer<SilenceEntry> {
    let peer = peer(asker);
    let by = author(peer);
    let wrap = |reply| ControlRequest::Alerts(AlertRequest::ExpireSilence { id, by, reply });
    let entry = shared.driver.ask(wrap).await??;
    info!(
        event = "control",
        request = "expire",
        silence = id,
        uid = peer.uid,
        pid = peer.pid
    );
    Ok(Json(entry))
}

/// `POST /v1/incidents/ID/ack`
pub(super) async fn acknowledge(
    State(shared): State<Shared>,
    asker: Asker,
    Path(id): Path<u64>,
    body: Bytes,
) -> Answer<AckResponse> {
    let body: AckBody = body_of(&body)?;
    let text = if body.text.trim().is_empty() {
        String::new()
    } else {
        line(&body.text, "text")?
    };
    let peer = peer(asker);
    let by = author(peer);
    let incident = IncidentId(id);
    let wrap = |reply| {
        ControlRequest::Alerts(AlertRequest::Acknowledge {
            incident,
            by,
            text,
            reply,
        })
    };
    let answer = shared.driver.ask(wrap).await?;
    let answer = answer.map_err(|refusal| match refusal {
        AlertRefusal::Acknowledgement(AckError::NotOpen) => Refusal(
            StatusCode::CONFLICT,
            format!("incident {id} is not open; `sentinel status` shows which are"),
        ),
        other => other.into(),
    })?;
    info!(
        event = "control",
        request = "ack",
        incident = id,
        uid = peer.uid,
        pid = peer.pid
    );
    Ok(Json(answer))
}

impl From<AlertRefusal> for Refusal {
    fn from(refusal: AlertRefusal) -> Self {
        let status = match refusal {
            AlertRefusal::Silence(SilenceError::Unknown) => StatusCode::NOT_FOUND,
            AlertRefusal::Silence(SilenceError::TooMany) | AlertRefusal::Acknowledgement(AckError::NotOpen) => {
                StatusCode::CONFLICT
            }
            AlertRefusal::Silence(SilenceError::CommentTooLong)
            | AlertRefusal::Acknowledgement(AckError::TextTooLong) => StatusCode::BAD_REQUEST,
            AlertRefusal::NotRecorded => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, refusal.to_string())
    }
}

fn duration(seconds: u64) -> Result<Duration, Refusal> {
    let duration = Duration::from_secs(seconds);
    if duration.is_zero() || duration > SILENCE_MAX {
        return Err(bad_request(format!(
            "`duration_seconds` must be between 1 and {}",
            SILENCE_MAX.as_secs()
        )));
    }
    Ok(duration)
}

/// One line that says something.
fn line(text: &str, what: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.is_empty() || text.chars().any(char::is_control) || text.chars().count() > COMMENT_MAX {
        return Err(bad_request(format!(
            "`{what}` must be one line of 1 to {COMMENT_MAX} characters"
        )));
    }
    Ok(text.to_owned())
}

/// What is to be silenced, by the rules of the configuration.
fn matches(body: SilenceBody) -> Result<Match, Refusal> {
    let parts = body.services.len() + body.severities.len() + body.labels.len();
    if parts == 0 {
        return Err(bad_request(
            "say what to silence: services, severities or labels; the service `*` is everything".to_owned(),
        ));
    }
    if parts > PARTS_MAX {
        return Err(bad_request(format!(
            "names more than {PARTS_MAX} services, severities and labels"
        )));
    }
    for service in &body.services {
        sentinel_config::alert_pattern(service).map_err(bad_request)?;
    }
    for (name, value) in &body.labels {
        sentinel_config::label_name(name).map_err(bad_request)?;
        sentinel_config::label_value(value).map_err(|reason| bad_request(format!("the label `{name}` {reason}")))?;
    }
    Ok(Match {
        services: body.services,
        severities: body.severities,
        kinds: Vec::new(),
        labels: body.labels,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asks_is_named_where_the_host_has_a_name() {
        const USERS: &str =
            "root:x:0:0::/:/bin/sh\nbroken\n:x:7:\nalice:x:1000:1000::/:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n";
        for (uid, users, expected) in [
            (0, USERS, "root"),
            (1000, USERS, "alice"),
            (1001, USERS, "uid 1001"),
            (7, USERS, "uid 7"),
            // That name would be given to everybody whom a user namespace hides.
            (65534, USERS, "uid 65534"),
            // As in the image, which knows the agent's user only.
            (0, "sentinel:x:65532:65532::/:/usr/sbin/nologin\n", "uid 0"),
            (1000, "", "uid 1000"),
        ] {
            assert_eq!(named(uid, users), expected, "{uid}");
        }
    }
}
