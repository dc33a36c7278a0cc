//! The other end of a webhook, to be run inside the test host.

use std::fs::OpenOptions;
use std::io::Write as _;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;

/// Where the receiver listens inside the host.
pub const ADDRESS: &str = "127.0.0.1:9100";

/// Where it writes what it received, a line per message: its `webhook-id`, a space, its body.
pub const RECEIVED: &str = "/var/tmp/received";

/// Serves until killed. Not a test of its own: the tests run it inside the host.
#[test]
#[ignore = "run inside a test host by the other tests"]
fn serve_webhooks() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(ADDRESS)
            .await
            .expect("the address is free");
        axum::serve(listener, Router::new().route("/", post(receive)))
            .await
            .expect("it serves");
    });
}

async fn receive(headers: HeaderMap, body: String) -> StatusCode {
    let id = headers
        .get("webhook-id")
        .and_then(|id| id.to_str().ok())
        .unwrap_or("none");
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(RECEIVED)
        .expect("the file can be written");
    file.write_all(format!("{id} {body}\n").as_bytes())
        .expect("the file can be written");
    StatusCode::NO_CONTENT
}
