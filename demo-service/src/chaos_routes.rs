//! The faults over HTTP. Nothing here is reachable unless it was switched on.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::header::CONNECTION;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{any, get, post};
use serde_json::{Value, json};

use crate::connection::Closed;
use crate::fault::{Fault, USAGE, Usage};
use crate::server::App;

const SWITCHED_OFF: &str = "Fault injection is switched off here. \
    Start demo-service with --chaos or DEMO_CHAOS=1 to switch it on.\n";

/// The `/chaos` routes, or, switched off, 404 with a word on how to switch them on.
pub(crate) fn routes(switched_on: bool) -> Router<Arc<App>> {
    if !switched_on {
        let off = || any((StatusCode::NOT_FOUND, SWITCHED_OFF));
        return Router::new().route("/chaos", off()).route("/chaos/{*rest}", off());
    }
    Router::new()
        .route("/chaos", get(show))
        .route("/chaos/reset", post(reset))
        .route("/chaos/{fault}", post(inject))
        .method_not_allowed_fallback(wrong_method)
}

async fn show(State(app): State<Arc<App>>) -> Json<Value> {
    let faults: Vec<_> = USAGE
        .iter()
        .map(|usage| json!({ "post": usage.request(), "does": usage.about }))
        .collect();
    Json(json!({ "active": app.chaos.active(), "faults": faults, "reset": "/chaos/reset" }))
}

async fn reset(State(app): State<Arc<App>>) -> Json<Value> {
    app.chaos.reset();
    Json(json!({ "reset": true, "active": app.chaos.active() }))
}

/// Injects a fault. 200: it is in effect. 202: it takes effect as soon as this
/// answer is out, because afterwards there might be nobody left to answer.
async fn inject(
    State(app): State<Arc<App>>,
    ConnectInfo(closed): ConnectInfo<Closed>,
    Path(name): Path<String>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Response {
    let fault = match read_fault(&app, &name, query) {
        Ok(fault) => fault,
        Err(refused) => return refused.into_response(),
    };
    let answer = Json(json!({ "fault": fault.to_string() }));
    if fault.leaves_an_answer() {
        app.chaos.inject(fault);
        return answer.into_response();
    }
    tokio::spawn(async move {
        closed.wait().await;
        app.chaos.inject(fault);
    });
    (StatusCode::ACCEPTED, [(CONNECTION, "close")], answer).into_response()
}

/// What was asked for, or why it cannot be had.
fn read_fault(
    app: &App,
    name: &str,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Fault, (StatusCode, String)> {
    let bad_request = |message: String| (StatusCode::BAD_REQUEST, format!("{message}\n"));

    let usage = Usage::find(name).map_err(|error| (StatusCode::NOT_FOUND, format!("{error}\n")))?;
    let Query(parameters) = query.map_err(|error| bad_request(error.body_text()))?;
    // A typo in the parameter would otherwise inject the default in silence.
    if let Some((unknown, _)) = parameters.iter().find(|(key, _)| Some(&**key) != usage.parameter) {
        let takes = usage
            .parameter
            .map_or("none".to_owned(), |known| format!("only `{known}`"));
        return Err(bad_request(format!(
            "{name} has no parameter `{unknown}`; it takes {takes}"
        )));
    }
    let value = parameters.last().map(|(_, value)| value.as_str());
    let fault = Fault::parse(name, value).map_err(|error| bad_request(error.to_string()))?;
    app.chaos.check(fault).map_err(|error| bad_request(error.to_string()))?;
    Ok(fault)
}

async fn wrong_method(method: Method, uri: Uri) -> Response {
    let message = format!("{method} {} does nothing; faults are injected with POST\n", uri.path());
    (StatusCode::METHOD_NOT_ALLOWED, message).into_response()
}
