//! Every refusal as `{"error": "..."}`, whoever refused: a handler, the router, an extractor, the deadline.

use std::time::Duration;

use axum::Json;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sentinel_api::ErrorResponse;
use sentinel_driver::control::{AskError, HistoryError};
use tokio::time::timeout;

/// A request that takes longer is answered 504; the driver answers in microseconds unless it stands still.
const REQUEST_DEADLINE: Duration = Duration::from_secs(10);

/// Most bytes of a refusal's own words.
const WORDS_MAX: usize = 4 * 1024;

/// A refusal with its status.
#[derive(Debug)]
pub(super) struct Refusal(pub(super) StatusCode, pub(super) String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(ErrorResponse { error: self.1 })).into_response()
    }
}

impl From<AskError> for Refusal {
    fn from(error: AskError) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

impl From<HistoryError> for Refusal {
    fn from(error: HistoryError) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

/// Ends what takes too long, the reading of the body included.
pub(super) async fn deadline(request: Request, next: Next) -> Response {
    match timeout(REQUEST_DEADLINE, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Refusal(
            StatusCode::GATEWAY_TIMEOUT,
            format!("no answer within {}s", REQUEST_DEADLINE.as_secs()),
        )
        .into_response(),
    }
}

/// Gives refusals that are plain text, as axum's own are, the form of all others.
pub(super) async fn as_json(request: Request, next: Next) -> Response {
    let what = format!("{} {}", request.method(), request.uri().path());
    let response = next.run(request).await;
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) || is_json(response.headers()) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let words = to_bytes(body, WORDS_MAX).await.unwrap_or_default();
    let words = String::from_utf8_lossy(&words);
    let error = match status {
        _ if !words.trim().is_empty() => words.into_owned(),
        StatusCode::NOT_FOUND => format!("there is no `{what}`"),
        StatusCode::METHOD_NOT_ALLOWED => format!("`{what}` is not offered here"),
        _ => status.to_string(),
    };
    parts.headers.remove(header::CONTENT_TYPE);
    parts.headers.remove(header::CONTENT_LENGTH);
    (parts.status, parts.headers, Json(ErrorResponse { error })).into_response()
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("application/json"))
}
