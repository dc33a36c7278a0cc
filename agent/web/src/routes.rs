//! What is answered.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use sentinel_config::{Listen, Secret};
use sentinel_driver::control::{AskError, ControlHandle, ControlRequest};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::LastReload;
use crate::access::{Denied, Rules};
use crate::metrics::{self, Format, Snapshot, process};

/// The driver answers in microseconds unless it stands still; a scraper waits for ten seconds.
const DEADLINE: Duration = Duration::from_secs(8);

/// What every request needs.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) listen: Listen,
    pub(crate) host: String,
    pub(crate) token: watch::Receiver<Option<Secret>>,
    pub(crate) driver: ControlHandle,
    pub(crate) reload: watch::Receiver<LastReload>,
    pub(crate) version: &'static str,
    pub(crate) since: Timestamp,
}

/// A refusal with its reason, in text: whoever reads it asked by hand.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.0, self.1 + "\n").into_response();
        if self.0 == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"sentinel\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

/// The routes.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/metrics", get(show_metrics))
        .fallback(|| async {
            Refusal(
                StatusCode::NOT_FOUND,
                "there is nothing here; metrics are at /metrics".into(),
            )
        })
        .method_not_allowed_fallback(|| async {
            Refusal(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered".into())
        })
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), admit))
        .with_state(shared)
}

/// Turns away who is not to be answered, before anything is looked at; and has no answer kept or taken for a page.
async fn admit(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let checked = check(&shared, request.uri(), request.headers());
    let mut response = match checked {
        Err(Denied { status, reason }) => Refusal(status, reason).into_response(),
        Ok(()) => timeout(DEADLINE, next.run(request)).await.unwrap_or_else(|_| {
            let reason = format!("no answer within {}s", DEADLINE.as_secs());
            Refusal(StatusCode::GATEWAY_TIMEOUT, reason).into_response()
        }),
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn check(shared: &Shared, uri: &Uri, headers: &HeaderMap) -> Result<(), Denied> {
    let token = shared.token.borrow();
    let rules = Rules {
        bound: match &shared.listen {
            Listen::Tcp(address) => Some(*address),
            Listen::Unix(_) => None,
        },
        host: &shared.host,
        token: token.as_ref().map(ExposeSecret::expose_secret),
    };
    rules.check(uri, headers)
}

async fn show_metrics(State(shared): State<Arc<Shared>>, uri: Uri, headers: HeaderMap) -> Result<Response, Refusal> {
    no_parameters(uri.query())?;
    let ask = |error: AskError| Refusal(StatusCode::SERVICE_UNAVAILABLE, error.to_string());
    let view = shared.driver.ask(|reply| ControlRequest::Metrics { reply }).await;
    let view = view.map_err(ask)?;
    let queue = shared
        .driver
        .ask(|reply| ControlRequest::Queue { limit: 1, reply })
        .await;
    // A store that cannot be read is no reason to show nothing: what it would have said is left out.
    let receivers = queue.map_err(ask)?.map(|queue| queue.receivers).unwrap_or_default();
    let format = Format::of(headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()));
    let reload = *shared.reload.borrow();
    let (version, since) = (shared.version, shared.since);
    // Ten thousand services take a while to write down, in which the driver must go on.
    let text = tokio::task::spawn_blocking(move || {
        metrics::render(
            &Snapshot {
                view: *view,
                receivers,
                reload,
                version,
                since,
                process: process::read(),
            },
            format,
        )
    });
    let text = text.await.map_err(|_| {
        let reason = "the agent failed while it wrote this; its log has more";
        Refusal(StatusCode::INTERNAL_SERVER_ERROR, reason.into())
    })?;
    Ok(([(header::CONTENT_TYPE, format.content_type())], text).into_response())
}

/// What is not known would be ignored otherwise, and its author think that it does something.
fn no_parameters(query: Option<&str>) -> Result<(), Refusal> {
    /// Nothing that is meant is longer.
    const SHOWN_MAX: usize = 40;
    let Some(query) = query.filter(|query| !query.is_empty()) else {
        return Ok(());
    };
    let name = query.split(['=', '&']).next().unwrap_or_default();
    let name: String = name.chars().take(SHOWN_MAX).collect();
    Err(Refusal(
        StatusCode::BAD_REQUEST,
        format!("there is no parameter `{name}`; /metrics has none"),
    ))
}
