//! What can be asked, and by whom.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Extension, Json, Router, middleware};
use jiff::Timestamp;
use sentinel_api::{
    DeployBody, HealthResponse, IncidentDetail, IncidentsResponse, OperatorResponse, PAUSE_MAX, PauseBody,
    QueueResponse, ReloadResponse, StatusResponse, Version, WebStatus,
};
use sentinel_driver::control::{ControlHandle, ControlRequest, IncidentQuery};
use sentinel_engine::{IncidentId, OperatorRequest, RequestError};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tracing::info;

use super::errors::{Refusal, as_json, deadline};
use super::socket::Peer;
use super::{alerts, status};

/// Nothing that is asked here is longer.
const BODY_MAX: usize = 16 * 1024;

/// Incidents in a list, unless asked otherwise.
const LIMIT_DEFAULT: u32 = 50;

/// Most incidents in a list; a list is built in memory.
const LIMIT_MAX: u32 = 1000;

/// What the agent says of itself.
#[derive(Clone, Debug)]
pub struct ServerInfo {
    /// When the agent started.
    pub since: Timestamp,
    /// Whether metrics are served.
    pub web: watch::Receiver<Option<WebStatus>>,
}

/// What a listener's clients may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Look only.
    Read,
    /// Look, restart, pause and resume.
    Control,
}

#[derive(Clone)]
pub(super) struct Shared {
    info: Arc<ServerInfo>,
    pub(super) driver: ControlHandle,
}

pub(super) type Answer<T> = Result<Json<T>, Refusal>;

/// The routes, with limits and errors in place.
pub fn router(info: ServerInfo, driver: ControlHandle, access: Access) -> Router {
    let read = Router::new()
        .route("/v1/version", get(version))
        .route("/v1/health", get(health))
        .route("/v1/status", get(show_status))
        .route("/v1/incidents", get(list_incidents))
        .route("/v1/incidents/{id}", get(show_incident))
        .route("/v1/alerts/queue", get(show_queue))
        .route("/v1/silences", get(alerts::list));
    let routes = match access {
        Access::Read => read,
        Access::Control => read
            .route("/v1/services/{name}/restart", post(restart))
            .route("/v1/services/{name}/pause", post(pause))
            .route("/v1/services/{name}/resume", post(resume))
            .route("/v1/services/{name}/deploy", post(deploy))
            .route("/v1/services/{name}/deployed", post(deployed))
            .route("/v1/silences", post(alerts::add))
            .route("/v1/silences/{id}/expire", post(alerts::expire))
            .route("/v1/incidents/{id}/ack", post(alerts::acknowledge))
            .route("/v1/reload", post(reload)),
    };
    routes
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(middleware::from_fn(deadline))
        .layer(middleware::from_fn(as_json))
        .with_state(Shared {
            info: Arc::new(info),
            driver,
        })
}

async fn version() -> Json<Version> {
    Json(Version {
        version: crate::version::VERSION.to_owned(),
    })
}

/// Answered by way of the loop, which is what can stand still.
async fn health(State(shared): State<Shared>) -> Answer<HealthResponse> {
    let view = shared.driver.ask(|reply| ControlRequest::Status { reply }).await?;
    Ok(Json(HealthResponse {
        since: shared.info.since,
        services: view.services.len(),
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatusQuery {
    service: Option<String>,
}

async fn show_status(State(shared): State<Shared>, Query(query): Query<StatusQuery>) -> Answer<StatusResponse> {
    let view = shared.driver.ask(|reply| ControlRequest::Status { reply }).await?;
    let wanted = |name: &str| query.service.as_deref().is_none_or(|service| service == name);
    let services: Vec<_> = view
        .services
        .iter()
        .filter(|service| wanted(service.name.as_str()))
        .map(|service| status::service(&view, service))
        .collect();
    match query.service {
        Some(name) if services.is_empty() => Err(unknown_service(&name)),
        _ => Ok(Json(StatusResponse {
            host: view.host,
            version: crate::version::VERSION.to_owned(),
            since: shared.info.since,
            services,
            rejected: view.rejected.iter().map(Into::into).collect(),
            unseen: view.unseen.into_iter().map(Into::into).collect(),
            web: shared.info.web.borrow().clone(),
        })),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IncidentsQuery {
    service: Option<String>,
    limit: Option<u32>,
}

async fn list_incidents(
    State(shared): State<Shared>,
    Query(query): Query<IncidentsQuery>,
) -> Answer<IncidentsResponse> {
    let limit = checked_limit(query.limit)?;
    let query = IncidentQuery {
        service: query.service,
        limit,
    };
    let incidents = shared
        .driver
        .ask(|reply| ControlRequest::Incidents { query, reply })
        .await??;
    Ok(Json(IncidentsResponse { incidents }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QueueQuery {
    limit: Option<u32>,
}

async fn show_queue(State(shared): State<Shared>, Query(query): Query<QueueQuery>) -> Answer<QueueResponse> {
    let limit = checked_limit(query.limit)?;
    let queue = shared
        .driver
        .ask(|reply| ControlRequest::Queue { limit, reply })
        .await??;
    Ok(Json(queue))
}

/// How long a list may be.
fn checked_limit(limit: Option<u32>) -> Result<u32, Refusal> {
    let limit = limit.unwrap_or(LIMIT_DEFAULT);
    if (1..=LIMIT_MAX).contains(&limit) {
        Ok(limit)
    } else {
        Err(bad_request(format!("`limit` must be between 1 and {LIMIT_MAX}")))
    }
}

async fn show_incident(State(shared): State<Shared>, Path(id): Path<u64>) -> Answer<IncidentDetail> {
    let id = IncidentId(id);
    match shared
        .driver
        .ask(|reply| ControlRequest::Incident { id, reply })
        .await??
    {
        Some(incident) => Ok(Json(incident)),
        None => Err(Refusal(StatusCode::NOT_FOUND, format!("there is no incident {id}"))),
    }
}

/// Who asked, where the listener can tell.
pub(super) type Asker = Option<Extension<ConnectInfo<Peer>>>;

async fn restart(state: State<Shared>, asker: Asker, name: Path<String>) -> Result<Accepted, Refusal> {
    operate(state, asker, name, "restart", OperatorRequest::Restart).await
}

async fn pause(state: State<Shared>, asker: Asker, name: Path<String>, body: Bytes) -> Result<Accepted, Refusal> {
    let duration = pause_duration(&body)?;
    operate(state, asker, name, "pause", OperatorRequest::Pause { duration }).await
}

async fn resume(state: State<Shared>, asker: Asker, name: Path<String>) -> Result<Accepted, Refusal> {
    operate(state, asker, name, "resume", OperatorRequest::Resume).await
}

async fn deploy(state: State<Shared>, asker: Asker, name: Path<String>, body: Bytes) -> Result<Accepted, Refusal> {
    let DeployBody { id, duration_seconds } = body_of(&body)?;
    let missing = || bad_request("`duration_seconds` is missing".to_owned());
    let duration = checked(duration_seconds)?.ok_or_else(missing)?;
    operate(
        state,
        asker,
        name,
        "deploy",
        OperatorRequest::BeginDeploy { id, duration },
    )
    .await
}

async fn deployed(state: State<Shared>, asker: Asker, name: Path<String>, body: Bytes) -> Result<Accepted, Refusal> {
    let DeployBody { id, .. } = body_of(&body)?;
    operate(state, asker, name, "deployed", OperatorRequest::EndDeploy { id }).await
}

/// Reads the configuration again. Whatever is wrong with it is in the refusal.
async fn reload(State(shared): State<Shared>, asker: Asker) -> Answer<ReloadResponse> {
    let peer = asker.map_or(Peer::default(), |Extension(ConnectInfo(peer))| peer);
    info!(event = "control", request = "reload", uid = peer.uid, pid = peer.pid);
    let answer = shared.driver.ask(|reply| ControlRequest::Reload { reply }).await?;
    answer
        .map(Json)
        .map_err(|refused| Refusal(StatusCode::CONFLICT, refused.0))
}

type Accepted = (StatusCode, Json<OperatorResponse>);

async fn operate(
    State(shared): State<Shared>,
    asker: Asker,
    Path(name): Path<String>,
    word: &'static str,
    request: OperatorRequest,
) -> Result<Accepted, Refusal> {
    let service = name.as_str().into();
    let wrap = |reply| ControlRequest::Operator {
        service,
        request,
        reply,
    };
    let accepted = shared.driver.ask(wrap).await?;
    accepted.map_err(|error| match error {
        RequestError::UnknownService => unknown_service(&name),
        other => Refusal(StatusCode::CONFLICT, format!("`{name}`: {other}")),
    })?;
    let peer = asker.map_or(Peer::default(), |Extension(ConnectInfo(peer))| peer);
    info!(
        service = name,
        event = "control",
        request = word,
        uid = peer.uid,
        pid = peer.pid
    );
    let response = OperatorResponse {
        service: name,
        request: word.to_owned(),
    };
    Ok((StatusCode::ACCEPTED, Json(response)))
}

/// How long to pause, from a body that may be empty.
fn pause_duration(body: &[u8]) -> Result<Option<Duration>, Refusal> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let body: PauseBody = body_of(body)?;
    checked(body.duration_seconds)
}

pub(super) fn body_of<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| bad_request(format!("the body is not as documented: {error}")))
}

/// A duration within its bounds.
fn checked(seconds: Option<u64>) -> Result<Option<Duration>, Refusal> {
    match seconds.map(Duration::from_secs) {
        Some(duration) if duration.is_zero() || duration > PAUSE_MAX => Err(bad_request(format!(
            "`duration_seconds` must be between 1 and {}",
            PAUSE_MAX.as_secs()
        ))),
        duration => Ok(duration),
    }
}

pub(super) fn bad_request(why: String) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, why)
}

fn unknown_service(name: &str) -> Refusal {
    Refusal(
        StatusCode::NOT_FOUND,
        format!("there is no service `{}`", sentinel_text::printable(name)),
    )
}
