//! Receivers against servers that are as strict as the real ones, real programs, and the library that defines what a
//! signature is.

mod bounds;
mod cli;
mod command;
mod heartbeat;
mod secrets;
mod signatures;
mod slack;
mod slack_server;
mod templates;

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sentinel_config::{ReceiverKind, ReceiverSettings, Secret, WebhookSettings};
use sentinel_engine::{IncidentId, Severity, Time};
use sentinel_notify::{Evidence, Member, Message, Receiver, TimelineLine};
use sentinel_store::{Delivery, First};
use tokio::sync::mpsc;

/// No test waits longer than this for what it expects.
const BOUND: Duration = Duration::from_secs(30);

/// A receiver of this kind.
fn receiver(kind: ReceiverKind) -> Receiver {
    with_template(kind, None)
}

/// A receiver with words of its own.
fn with_template(kind: ReceiverKind, template: Option<&str>) -> Receiver {
    // The second time it is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let settings = ReceiverSettings {
        name: "team".to_owned(),
        kind,
        zone: TimeZone::UTC,
        template: template.map(str::to_owned),
    };
    Receiver::all(&[settings]).unwrap().remove(0)
}

fn webhook(url: &str, secrets: &[&str]) -> ReceiverKind {
    ReceiverKind::Webhook(WebhookSettings {
        url: Secret::from(url),
        secrets: secrets.iter().map(|secret| Secret::from(*secret)).collect(),
        headers: BTreeMap::new(),
    })
}

/// What the agent says when a service is down.
fn message(kind: &str) -> Message {
    let at: Timestamp = "2026-11-22T16:03:00Z".parse().unwrap();
    let mut message = Message::about_alerts(
        kind,
        "web1",
        at,
        Severity::Warning,
        "web1: shop is down: killed by signal KILL",
    );
    message.kind = format!("incident.{kind}");
    message.data.service.push_str("shop");
    message.data.incident = 7;
    message.data.timeline = vec![TimelineLine::new(at, "killed by signal KILL")];
    message.data.evidence = vec![Evidence::new("signal", "9")];
    message
}

fn delivery(message: &Message, first: Option<First>) -> Delivery {
    Delivery {
        row: 1,
        event: "msg_0123456789abcdef0123456789abcdef".to_owned(),
        incident: IncidentId(7),
        sequence: message.data.sequence,
        kind: message.data.kind.clone(),
        payload: message.payload(),
        created: Time::ZERO,
        attempt: 1,
        ambiguous: false,
        first,
    }
}

/// One request as it arrived.
#[derive(Debug)]
struct Request {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

/// An HTTP server that hands over what it is sent, and answers as it is asked.
async fn server(
    answer: impl Fn(&Request) -> Response + Clone + Send + Sync + 'static,
) -> (String, mpsc::Receiver<Request>) {
    let (sender, requests) = mpsc::channel(1024);
    let handler = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| async move {
        let path = uri.path().to_owned();
        let request = Request {
            method,
            path,
            headers,
            body,
        };
        let response = answer(&request);
        // The test may have seen enough.
        let _ = sender.try_send(request);
        response
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
    (format!("http://{address}"), requests)
}

fn ok(_: &Request) -> Response {
    StatusCode::OK.into_response()
}

/// The next request, within the bound.
async fn next(requests: &mut mpsc::Receiver<Request>) -> Request {
    tokio::time::timeout(BOUND, requests.recv())
        .await
        .expect("no request came")
        .unwrap()
}
