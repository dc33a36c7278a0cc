//! The receivers to be notified, for demos: takes webhooks, and writes what they say to its log.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::cli::ReceiveOptions;
use crate::log;
use crate::server::{ServeError, StopSignals};

/// Bytes of a message. Those of the agent have at most 64 KiB.
const BODY_MAX: usize = 256 * 1024;

/// Takes webhooks on `/` until asked to stop. `/health` answers for the health check.
pub(crate) async fn run(options: &ReceiveOptions) -> Result<(), ServeError> {
    let mut stop = StopSignals::new().map_err(ServeError::Signal)?;
    let bind_error = |source| ServeError::Bind {
        address: options.listen,
        source,
    };
    let listener = TcpListener::bind(options.listen).await.map_err(bind_error)?;
    let address: SocketAddr = listener.local_addr().map_err(bind_error)?;
    let router = Router::new()
        .route("/", post(take))
        .route("/health", get(StatusCode::NO_CONTENT))
        .layer(DefaultBodyLimit::max(BODY_MAX));
    log::event("listening", &[("addr", &address)]);
    let served: io::Result<()> = axum::serve(listener, router)
        .with_graceful_shutdown(async move {
            let signal = stop.wait().await;
            log::event("stopping", &[("signal", &signal)]);
        })
        .await;
    served.map_err(ServeError::Serve)
}

async fn take(headers: HeaderMap, body: Bytes) -> StatusCode {
    let Ok(message) = serde_json::from_slice::<Value>(&body) else {
        log::event("refused", &[("reason", &"the body is not JSON")]);
        return StatusCode::BAD_REQUEST;
    };
    let text = |path: &str| message.pointer(path).and_then(Value::as_str).unwrap_or("-").to_owned();
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or("-");
    log::event(
        "alert",
        &[
            ("kind", &text("/data/kind")),
            ("severity", &text("/data/severity")),
            ("service", &text("/data/service")),
            (
                "incident",
                &message.pointer("/data/incident").cloned().unwrap_or_default(),
            ),
            ("summary", &text("/data/summary")),
            ("id", &id),
        ],
    );
    StatusCode::NO_CONTENT
}
