//! Delivery from the outbox to real HTTP peers on loopback.

mod alertmanager;
mod crash;
mod delivery;
mod dispatch;
mod secrets;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sentinel_base::clock::Clock;
use sentinel_config::{ReceiverKind, ReceiverSettings, Secret, WebhookSettings};
use sentinel_engine::alerting::dispatch::DispatchPolicy;
use sentinel_engine::{IncidentId, Report, Severity, Time};
use sentinel_notify::{DeliveryErrorKind, Receiver, Retry, RetryPolicy};
use sentinel_store::{AlertChanges, Batch, Delivery, IncidentDetail, Next, OutboxSettings, OutgoingMessage, Store};
use tokio::net::TcpListener;

/// No test waits longer than this for what it expects.
const BOUND: Duration = Duration::from_secs(30);

/// Gaps short enough for a test that waits for retries.
const HASTY: RetryPolicy = RetryPolicy {
    first: Duration::from_millis(5),
    cap: Duration::from_millis(20),
    young: Duration::from_secs(3600),
    late_cap: Duration::from_millis(20),
    wish_cap: Duration::from_secs(3600),
};

/// The same for a receiver as a whole.
fn hasty() -> DispatchPolicy {
    DispatchPolicy {
        rest: Duration::from_millis(1),
        rest_max: Duration::from_millis(5),
        probe_every: Duration::from_millis(20),
        pace: Duration::from_millis(1),
        stuck_after: Duration::from_millis(200),
        ..DispatchPolicy::default()
    }
}

/// One request as it arrived.
#[derive(Clone)]
struct Request {
    headers: HeaderMap,
    body: Bytes,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }
}

type Answer = dyn Fn(&Request) -> Response + Send + Sync;

/// What a peer was sent, and how it answers.
type PeerState = (Arc<Mutex<Vec<Request>>>, Arc<Answer>);

/// An HTTP server that keeps what it was sent and answers as it is asked.
struct Peer {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Request>>>,
}

impl Peer {
    async fn start(answer: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        Self::serve(TcpListener::bind("127.0.0.1:0").await.unwrap(), answer)
    }

    fn serve(listener: TcpListener, answer: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let state: PeerState = (received.clone(), Arc::new(answer));
        let handler = |State((received, answer)): State<PeerState>, headers: HeaderMap, body: Bytes| async move {
            let request = Request { headers, body };
            let response = answer(&request);
            received.lock().unwrap().push(request);
            response
        };
        let app = Router::new().fallback(handler).with_state(state);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, received }
    }

    fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    fn received(&self) -> Vec<Request> {
        self.received.lock().unwrap().clone()
    }
}

fn ok(_: &Request) -> Response {
    StatusCode::OK.into_response()
}

fn settings(name: &str, url: &str) -> (ReceiverSettings, WebhookSettings) {
    let webhook = WebhookSettings {
        url: Secret::from(url),
        secrets: Vec::new(),
        headers: BTreeMap::new(),
    };
    let receiver = ReceiverSettings {
        name: name.to_owned(),
        kind: ReceiverKind::Webhook(webhook.clone()),
        zone: TimeZone::UTC,
        template: None,
    };
    (receiver, webhook)
}

fn receiver_with(name: &str, webhook: WebhookSettings) -> Receiver {
    // The second time it is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let settings = ReceiverSettings {
        name: name.to_owned(),
        kind: ReceiverKind::Webhook(webhook),
        zone: TimeZone::UTC,
        template: None,
    };
    Receiver::all(&[settings]).unwrap().remove(0)
}

fn receiver(name: &str, url: &str) -> Receiver {
    receiver_with(name, settings(name, url).1)
}

fn delivery(payload: &str) -> Delivery {
    Delivery {
        row: 1,
        event: "msg_0123456789abcdef0123456789abcdef".to_owned(),
        incident: IncidentId(1),
        sequence: 1,
        kind: "fired".to_owned(),
        payload: payload.as_bytes().to_vec(),
        created: Time::ZERO,
        attempt: 1,
        ambiguous: false,
        first: None,
    }
}

/// A store in `dir` with its clock.
async fn open(dir: &Path) -> (Store, Clock) {
    let opened = Store::open(dir).await.unwrap();
    let clock = Clock::start(opened.anchor.as_ref());
    let settings = OutboxSettings {
        host: "web1".to_owned(),
        dispatch: hasty(),
    };
    opened.store.configure_outbox(settings).await.unwrap();
    (opened.store, clock)
}

/// Records messages as the driver does, each for one (incident, sequence, receiver).
async fn send(store: &Store, clock: &Clock, messages: impl IntoIterator<Item = (u64, u32, &str)>) {
    let messages: Vec<OutgoingMessage> = messages
        .into_iter()
        .map(|(incident, sequence, receiver)| OutgoingMessage {
            incident: IncidentId(incident),
            sequence,
            receiver: receiver.to_owned(),
            kind: "fired",
            severity: Severity::Warning,
            payload: format!("{incident}/{sequence}").into_bytes(),
            created: clock.now(),
            created_wall: sentinel_base::clock::wall(),
            not_before: Time::ZERO,
            revises: None,
        })
        .collect();
    send_all(store, clock, messages).await;
}

/// Records `messages` as the driver does.
async fn send_all(store: &Store, clock: &Clock, messages: Vec<OutgoingMessage>) {
    let reports = messages
        .iter()
        .map(|message| {
            let report = Report {
                at: clock.now(),
                service: "shop".into(),
                incident: Some(message.incident),
                kind: sentinel_engine::ReportKind::StoppedOnPurpose { reason: String::new() },
            };
            (report, sentinel_base::clock::wall())
        })
        .collect();
    let batch = Batch {
        anchor: clock.anchor(),
        saves: Vec::new(),
        host: None,
        reports,
        evidence: Vec::new(),
        messages,
        completed: Vec::new(),
        alerts: AlertChanges::default(),
    };
    store.commit(batch).await.unwrap();
}

fn start(receiver: Receiver, store: &Store, clock: &Clock) {
    tokio::spawn(sentinel_notify::run(
        Arc::new(receiver),
        store.clone(),
        clock.clone(),
        HASTY,
    ));
}

/// Waits until `done` holds.
async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    while !done().await {
        assert!(begin.elapsed() < BOUND, "never came: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn detail(store: &Store, incident: u64) -> IncidentDetail {
    store.incident(IncidentId(incident)).await.unwrap().unwrap()
}

async fn state(store: &Store, incident: u64) -> String {
    detail(store, incident).await.messages[0].state.clone()
}

/// A peer outside the runtime that answers every connection with `answer`, then closes it.
fn raw_peer(answer: impl Fn(&mut std::net::TcpStream) + Send + 'static) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            answer(&mut stream);
        }
    });
    address
}

/// Reads a request to the end of its headers.
fn read_request(stream: &mut std::net::TcpStream) -> String {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    while !read.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(count) => read.extend_from_slice(&buffer[..count]),
        }
    }
    String::from_utf8_lossy(&read).into_owned()
}
