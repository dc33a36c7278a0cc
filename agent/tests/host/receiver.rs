//! The other end of a webhook, to be run inside the test host.

use std::fs::OpenOptions;
use std::io::Write as _;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::post;

/// Where the receiver listens inside the host.
pub const ADDRESS: &str = "127.0.0.1:9100";

/// Where it writes what it received, a line per message: its `webhook-id`, a space, its body.
pub const RECEIVED: &str = "/var/tmp/received";

/// Where somebody listens inside the host who refuses everything and repeats all that he was sent.
pub const PARROT: &str = "127.0.0.1:9101";

/// Serves until killed. Not a test of its own: the tests run it inside the host.
#[test]
#[ignore = "run inside a test host by the other tests"]
fn serve_webhooks() {
    serve(ADDRESS, Router::new().route("/", post(receive)));
}

/// The same.
#[test]
#[ignore = "run inside a test host by the other tests"]
fn repeat_what_is_reported() {
    serve(PARROT, Router::new().fallback(repeat));
}

fn serve(address: &str, router: Router) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(address)
            .await
            .expect("the address is free");
        axum::serve(listener, router).await.expect("it serves");
    });
}

async fn repeat(uri: Uri, headers: HeaderMap) -> (StatusCode, String) {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{uri} {headers:?}"))
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
