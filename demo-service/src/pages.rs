//! `/health` for machines and `/` for operators.

use std::fmt::Write as _;
use std::process;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Json, Response};
use axum::routing::get;
use serde::Serialize;

use crate::fault::USAGE;
use crate::server::App;

/// The routes that faults apply to.
pub(crate) fn routes(app: Arc<App>) -> Router<Arc<App>> {
    Router::new()
        .route("/", get(index))
        .route("/health", get(health))
        .route_layer(middleware::from_fn_with_state(app, suffer))
}

/// Lets a hang or a slowness happen to a request.
async fn suffer(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    app.chaos.delay().await;
    next.run(request).await
}

#[derive(Serialize)]
struct Health<'a> {
    /// `ok` or `failing`.
    status: &'static str,
    /// Why it is failing.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    name: &'a str,
    version: &'static str,
    uptime_seconds: u64,
    pid: u32,
}

async fn health(State(app): State<Arc<App>>) -> Response {
    let injected = app.chaos.active().status;
    let code = injected
        .and_then(|code| StatusCode::from_u16(code).ok())
        .unwrap_or(StatusCode::OK);
    let body = Health {
        status: if injected.is_some() { "failing" } else { "ok" },
        reason: injected.map(|code| format!("the injected fault status={code} is in effect")),
        name: &app.name,
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: app.started.elapsed().as_secs(),
        pid: process::id(),
    };
    // A cached answer would say nothing about now.
    (code, [(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

async fn index(State(app): State<Arc<App>>) -> Response {
    let name = &app.name;
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{name}</title>\n<style>{STYLE}</style>\n\
         <h1>{name}</h1>\n\
         <p>This service is up. It has been for {} seconds, as process {}.</p>\n\
         <p><a href=\"/health\">/health</a> says the same to machines. Version {}.</p>\n",
        app.started.elapsed().as_secs(),
        process::id(),
        env!("CARGO_PKG_VERSION"),
    );
    if app.chaos_switched_on {
        page.push_str("<h2>Break it</h2>\n<ul>\n");
        for usage in &USAGE {
            // Writing to a `String` cannot fail.
            let _ = writeln!(
                page,
                "<li><form method=\"post\" action=\"{}\"><button>{}</button> {}</form>",
                usage.request(),
                usage.name,
                usage.about,
            );
        }
        page.push_str(
            "</ul>\n<form method=\"post\" action=\"/chaos/reset\"><button>reset</button> \
             end what can be ended</form>\n<p><a href=\"/chaos\">/chaos</a> shows what is in effect.</p>\n",
        );
    }
    ([(CACHE_CONTROL, "no-store")], Html(page)).into_response()
}

/// Readable on a phone, by day and by night.
const STYLE: &str = "\
    :root{color-scheme:light dark}\
    body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:2rem auto;padding:0 1rem}\
    ul{list-style:none;padding:0}li{margin:.5rem 0}\
    button{font:inherit;min-width:6rem;padding:.4rem .8rem;margin-right:.5rem}";
