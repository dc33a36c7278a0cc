//! Delivery from the outbox to real HTTP peers on loopback.

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
use secrecy::SecretString;
use sentinel::clock::Clock;
use sentinel::config::{ReceiverKind, ReceiverSettings, WebhookSettings};
use sentinel::receivers::{self, DeliveryErrorKind, Receiver, Retry, RetryPolicy};
use sentinel::store::{Batch, Delivery, IncidentDetail, Next, OutgoingMessage, Store};
use sentinel_engine::{IncidentId, Report, Severity, Time};
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

/// An HTTP server that keeps what it was sent and answers as it is told.
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
        let state: (Arc<Mutex<Vec<Request>>>, Arc<Answer>) = (received.clone(), Arc::new(answer));
        let handler = |State((received, answer)): State<(Arc<Mutex<Vec<Request>>>, Arc<Answer>)>,
                       headers: HeaderMap,
                       body: Bytes| async move {
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
        url: SecretString::from(url),
        secret: None,
        headers: BTreeMap::new(),
    };
    let receiver = ReceiverSettings {
        name: name.to_owned(),
        kind: ReceiverKind::Webhook(webhook.clone()),
    };
    (receiver, webhook)
}

fn receiver_with(name: &str, webhook: WebhookSettings) -> Receiver {
    // The second time it is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let settings = ReceiverSettings {
        name: name.to_owned(),
        kind: ReceiverKind::Webhook(webhook),
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
    }
}

/// A store in `dir` with its clock.
async fn open(dir: &Path) -> (Store, Clock) {
    let opened = Store::open(dir).await.unwrap();
    let clock = Clock::start(opened.anchor.as_ref());
    (opened.store, clock)
}

/// Records messages as the driver does, each for one (incident, sequence, receiver).
async fn tell(store: &Store, clock: &Clock, messages: impl IntoIterator<Item = (u64, u32, &str)>) {
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
            created_wall: Timestamp::now(),
        })
        .collect();
    let reports = messages
        .iter()
        .map(|message| {
            let report = Report {
                at: clock.now(),
                service: "shop".into(),
                incident: Some(message.incident),
                what: sentinel_engine::Happening::StoppedOnPurpose { reason: String::new() },
            };
            (report, Timestamp::now())
        })
        .collect();
    let batch = Batch {
        anchor: clock.anchor(),
        saves: Vec::new(),
        reports,
        messages,
    };
    store.commit(batch).await.unwrap();
}

fn start(receiver: Receiver, store: &Store, clock: &Clock) {
    tokio::spawn(receivers::run(receiver, store.clone(), clock.clone(), HASTY));
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

#[tokio::test]
async fn a_message_arrives_signed_and_under_its_key() {
    let peer = Peer::start(ok).await;
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let webhook = WebhookSettings {
        secret: Some(SecretString::from(secret)),
        headers: BTreeMap::from([
            ("X-Token".to_owned(), SecretString::from("abc")),
            ("webhook-id".to_owned(), SecretString::from("forged")),
        ]),
        ..settings("team", &peer.url()).1
    };
    let receiver = receiver_with("team", webhook);
    let wall = Timestamp::from_second(1_700_000_000).unwrap();
    let delivery = delivery("{\"type\":\"incident.fired\"}");
    receiver.deliver(&delivery, wall).await.unwrap();

    let request = &peer.received()[0];
    assert_eq!(request.text(), "{\"type\":\"incident.fired\"}");
    assert_eq!(request.header("content-type"), "application/json");
    assert_eq!(request.header("x-token"), "abc");
    assert_eq!(
        request.header("webhook-id"),
        delivery.event,
        "headers of the configuration cannot replace it"
    );
    assert_eq!(request.header("webhook-timestamp"), "1700000000");
    // What a receiver computes, from what arrived.
    let key = base64::engine::general_purpose::STANDARD
        .decode(&secret["whsec_".len()..])
        .unwrap();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).unwrap();
    mac.update(
        format!(
            "{}.{}.",
            request.header("webhook-id"),
            request.header("webhook-timestamp")
        )
        .as_bytes(),
    );
    mac.update(&request.body);
    let expected = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
    assert_eq!(request.header("webhook-signature"), format!("v1,{expected}"));
}

#[tokio::test]
async fn without_a_secret_nothing_is_signed() {
    let peer = Peer::start(ok).await;
    receiver("team", &peer.url())
        .deliver(&delivery("{}"), Timestamp::now())
        .await
        .unwrap();
    assert_eq!(peer.received()[0].header("webhook-signature"), "");
}

#[tokio::test]
async fn only_2xx_is_a_success() {
    #[rustfmt::skip]
    let table = [
        // status, what it means, whether the receiver may have got it, the word
        (301, Retry::Later, false, "redirect"),
        (400, Retry::Never, false, "refused"),
        (404, Retry::Never, false, "refused"),
        (410, Retry::Never, false, "refused"),
        (413, Retry::Never, false, "refused"),
        (408, Retry::Later, false, "refused"),
        (429, Retry::Later, false, "throttled"),
        (500, Retry::Later, true, "server_error"),
        (503, Retry::Later, true, "server_error"),
    ];
    for (status, retry, ambiguous, word) in table {
        let code = StatusCode::from_u16(status).unwrap();
        let peer = Peer::start(move |_| (code, "no such luck").into_response()).await;
        let error = receiver("team", &peer.url())
            .deliver(&delivery("{}"), Timestamp::now())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), DeliveryErrorKind::Status(status));
        assert_eq!(
            (error.retry(), error.is_ambiguous(), error.kind().as_str()),
            (retry, ambiguous, word),
            "{status}"
        );
        assert_eq!(
            error.to_string(),
            format!("http://{} answered {status}: no such luck", peer.address)
        );
    }
    for status in [200, 201, 202, 204, 299] {
        let code = StatusCode::from_u16(status).unwrap();
        let peer = Peer::start(move |_| code.into_response()).await;
        receiver("team", &peer.url())
            .deliver(&delivery("{}"), Timestamp::now())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Peer::start(ok).await;
    let location = elsewhere.url();
    for status in [301, 302, 303, 307, 308] {
        let location = location.clone();
        let code = StatusCode::from_u16(status).unwrap();
        let peer = Peer::start(move |_| (code, [("location", location.clone())]).into_response()).await;
        let error = receiver("team", &peer.url())
            .deliver(&delivery("{}"), Timestamp::now())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), DeliveryErrorKind::Status(status));
    }
    assert!(elsewhere.received().is_empty());
}

#[tokio::test]
async fn an_endless_refusal_is_read_only_in_part() {
    let peer = Peer::start(|_| (StatusCode::BAD_REQUEST, "x".repeat(10_000_000)).into_response()).await;
    let error = receiver("team", &peer.url())
        .deliver(&delivery("{}"), Timestamp::now())
        .await
        .unwrap_err();
    assert!(error.to_string().len() < 1200, "{} bytes", error.to_string().len());
}

#[tokio::test]
async fn messages_wait_for_a_receiver_that_is_down_and_arrive_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = open(dir.path()).await;
    // An address of its own, so that nobody else gets the port while nothing listens.
    let listener = TcpListener::bind("127.0.83.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    start(receiver("team", &format!("http://{address}/hook")), &store, &clock);
    for incident in 1..=5 {
        tell(&store, &clock, [(incident, 1, "team"), (incident, 2, "team")]).await;
    }
    until("three attempts", async || {
        detail(&store, 1).await.messages[0].attempts >= 3
    })
    .await;
    let waiting = &detail(&store, 1).await.messages[0];
    assert!(!waiting.ambiguous, "a refused connection is a certain failure");
    let error = waiting.last_error.clone().unwrap();
    assert!(
        error.starts_with(&format!("failed to POST to http://{address}: ")),
        "{error}"
    );
    assert!(error.contains("refused"), "{error}");

    // It comes back, answers 503 for a while, then works.
    let seen = Mutex::new(0);
    let peer = Peer::serve(TcpListener::bind(address).await.unwrap(), move |_| {
        let mut seen = seen.lock().unwrap();
        *seen += 1;
        if *seen <= 3 {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::OK
        }
        .into_response()
    });
    tell(&store, &clock, [(6, 1, "team")]).await;
    until("the last message", async || state(&store, 6).await == "delivered").await;
    let texts: Vec<String> = peer.received().iter().skip(3).map(Request::text).collect();
    assert_eq!(
        texts,
        [
            "1/1", "1/2", "2/1", "2/2", "3/1", "3/2", "4/1", "4/2", "5/1", "5/2", "6/1"
        ]
    );
    let first: Vec<_> = peer
        .received()
        .iter()
        .take(4)
        .map(|request| request.header("webhook-id").to_owned())
        .collect();
    assert!(
        first.iter().all(|id| *id == store.event_id(IncidentId(1), 1, "team")),
        "retries keep their key"
    );
    assert!(
        detail(&store, 1).await.messages[0].ambiguous,
        "a 503 may have done half of it"
    );
}

#[tokio::test]
async fn a_receiver_that_is_gone_gets_no_second_try_and_the_next_message_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = open(dir.path()).await;
    let peer = Peer::start(|request| {
        if request.body == "1/1" {
            StatusCode::GONE
        } else {
            StatusCode::OK
        }
        .into_response()
    })
    .await;
    start(receiver("team", &peer.url()), &store, &clock);
    tell(&store, &clock, [(1, 1, "team"), (1, 2, "team"), (2, 1, "team")]).await;
    until("the last message", async || state(&store, 2).await == "delivered").await;
    let messages = detail(&store, 1).await.messages;
    assert_eq!((messages[0].state.as_str(), messages[0].attempts), ("dead", 1));
    assert_eq!(
        messages[0].last_error.as_deref(),
        Some(&*format!("http://{} answered 410", peer.address))
    );
    assert_eq!(messages[1].state, "delivered");
    assert_eq!(peer.received().len(), 3);
}

#[tokio::test]
async fn a_receiver_that_asks_for_time_gets_it_for_all_its_messages() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = open(dir.path()).await;
    let peer = Peer::start(|_| (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1800")]).into_response()).await;
    start(receiver("team", &peer.url()), &store, &clock);
    tell(&store, &clock, [(1, 1, "team"), (2, 1, "team")]).await;
    let begin = clock.now();
    until("the answer", async || {
        detail(&store, 1).await.messages[0].last_error.is_some()
    })
    .await;
    let Next::Wait(not_before) = store.next_message("team", clock.now(), Timestamp::now()).await.unwrap() else {
        panic!("the next message must wait as well")
    };
    let asked = Duration::from_secs(1800);
    assert!(
        not_before >= begin + asked && not_before <= clock.now() + asked,
        "{not_before:?}"
    );
    assert_eq!(peer.received().len(), 1);
}

#[tokio::test]
async fn a_receiver_that_stays_silent_delays_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = open(dir.path()).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let held = Arc::new(Mutex::new(Vec::new()));
    let accepted = held.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = silent.accept().await {
            accepted.lock().unwrap().push(stream);
        }
    });
    let peer = Peer::start(ok).await;
    start(receiver("silent", &format!("http://{address}/")), &store, &clock);
    start(receiver("team", &peer.url()), &store, &clock);

    tell(&store, &clock, [(1, 1, "silent")]).await;
    until("the silent one's connection", async || !held.lock().unwrap().is_empty()).await;
    for incident in 2..=50 {
        tell(&store, &clock, [(incident, 1, "silent"), (incident, 2, "team")]).await;
    }
    until("every message to the other", async || peer.received().len() == 49).await;
    let message = &detail(&store, 1).await.messages[0];
    assert_eq!(
        (message.state.as_str(), message.attempts),
        ("inflight", 1),
        "the silent one was all the while waited for"
    );
}

/// Delivers until it is killed.
#[tokio::test]
#[ignore = "the child process of `sigkill_at_any_time_loses_and_doubles_no_message`"]
async fn child_that_delivers() {
    let dir = std::env::var_os("SENTINEL_TEST_DIR").expect("started by its parent");
    let url = std::env::var("SENTINEL_TEST_URL").expect("started by its parent");
    let (store, clock) = open(Path::new(&dir)).await;
    receivers::run(receiver("team", &url), store, clock, HASTY).await;
}

#[tokio::test]
async fn sigkill_at_any_time_loses_and_doubles_no_message() {
    const INCIDENTS: u64 = 100;
    let dir = tempfile::tempdir().unwrap();
    let peer = Peer::start(ok).await;
    let (store, clock) = open(dir.path()).await;
    let mut expected = Vec::new();
    for incident in 1..=INCIDENTS {
        tell(
            &store,
            &clock,
            [(incident, 1, "team"), (incident, 2, "team"), (incident, 3, "team")],
        )
        .await;
        expected.extend((1..=3).map(|sequence| store.event_id(IncidentId(incident), sequence, "team")));
    }
    store.close().await;

    let mut seed = 7_u64;
    let mut kills = 0;
    while peer.received().len() < expected.len() + kills {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "child_that_delivers"])
            .env("SENTINEL_TEST_DIR", dir.path())
            .env("SENTINEL_TEST_URL", peer.url())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let goal = peer.received().len() + usize::try_from(seed >> 33).unwrap() % 15;
        let mut gone_idle = 0;
        until("more messages, or the end of them", async || {
            // At the end there is nothing more to come: a while without news ends the round.
            gone_idle = if peer.received().len() < goal { gone_idle + 1 } else { 0 };
            peer.received().len() >= goal || gone_idle > 300
        })
        .await;
        tokio::time::sleep(Duration::from_micros((seed >> 20) % 4000)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        if gone_idle > 300 {
            break;
        }
    }

    let ids: Vec<String> = peer
        .received()
        .iter()
        .map(|request| request.header("webhook-id").to_owned())
        .collect();
    let mut firsts: Vec<&String> = Vec::new();
    for id in &ids {
        if !firsts.contains(&id) {
            firsts.push(id);
        }
    }
    assert_eq!(
        firsts,
        expected.iter().collect::<Vec<_>>(),
        "every message, in order, under its own key"
    );
    assert!(
        ids.len() - expected.len() <= kills,
        "{} copies after {kills} kills",
        ids.len() - expected.len()
    );
    assert!(kills > 15, "only {kills} kills");
    let (store, _) = open(dir.path()).await;
    for incident in 1..=INCIDENTS {
        for message in detail(&store, incident).await.messages {
            let copies = ids.iter().filter(|id| **id == message.event).count();
            assert_eq!(message.state, "delivered");
            assert!(
                copies == 1 || message.ambiguous,
                "{copies} copies of a message that is not known to be doubtful"
            );
        }
    }
}

/// Keeps every line that is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
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

#[tokio::test]
async fn no_secret_is_ever_shown() {
    const SECRETS: [&str; 6] = [
        "T0K3NinPATH",
        "T0K3NinQUERY",
        "T0K3NinUSER",
        "T0K3NinPASSWORD",
        "T0K3NinHEADER",
        "T0K3NinSECRET",
    ];
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    // Answers with everything it was told, in several disguises.
    let echo = raw_peer(|stream| {
        let request = read_request(stream);
        let everything = format!("{request} {} {}", SECRETS.join(" "), SECRETS.join("/"));
        let _ = write!(
            stream,
            "HTTP/1.1 400 Bad\r\nContent-Length: {}\r\n\r\n{everything}",
            everything.len()
        );
    });
    // Answers with one secret over and over, so that the limit cuts one in two.
    let flood = raw_peer(|stream| {
        read_request(stream);
        let everything = SECRETS[0].repeat(3000);
        let _ = write!(
            stream,
            "HTTP/1.1 500 Bad\r\nContent-Length: {}\r\n\r\n{everything}",
            everything.len()
        );
    });
    let broken_off = raw_peer(|stream| {
        read_request(stream);
        let _ = write!(
            stream,
            "HTTP/1.1 503 Bad\r\nContent-Length: 10000\r\n\r\nsorry T0K3NinPA"
        );
    });
    let redirect = raw_peer(|stream| {
        let request = read_request(stream);
        let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
        let _ = write!(
            stream,
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1{path}\r\nContent-Length: 0\r\n\r\n"
        );
    });
    let closing = raw_peer(|stream| drop(read_request(stream)));
    let garbage = raw_peer(|stream| {
        let request = read_request(stream);
        let _ = write!(stream, "{request}");
    });
    // Speaks no TLS, and does not wait for more of it.
    let plain = raw_peer(|stream| {
        let _ = stream.read(&mut [0; 1024]);
        let _ = write!(stream, "HTTP/1.1 400 Bad\r\n\r\n");
    });
    let refusing = {
        let listener = std::net::TcpListener::bind("127.0.83.2:0").unwrap();
        listener.local_addr().unwrap()
    };

    let mut shown = String::new();
    let mut kinds = Vec::new();
    let peers = [
        format!("http://USER@{echo}"),
        format!("http://USER@{flood}"),
        format!("http://USER@{broken_off}"),
        format!("http://USER@{redirect}"),
        format!("http://USER@{closing}"),
        format!("http://USER@{garbage}"),
        format!("http://USER@{refusing}"),
        format!("https://USER@{plain}"),
        "http://USER@no-such-host.invalid".to_owned(),
    ];
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = open(dir.path()).await;
    for (peer, incident) in peers.iter().zip(1..) {
        let peer = peer.replace("USER", "T0K3NinUSER:T0K3NinPASSWORD");
        let webhook = WebhookSettings {
            url: SecretString::from(format!("{peer}/services/T0K3NinPATH/x?key=T0K3NinQUERY")),
            secret: Some(SecretString::from("T0K3NinSECRET")),
            headers: BTreeMap::from([("authorization".to_owned(), SecretString::from("Bearer T0K3NinHEADER"))]),
        };
        shown += &format!("{:?} ", webhook);
        let name = format!("r{incident}");
        let receiver = receiver_with(&name, webhook);
        shown += &format!("{receiver:?} ");
        let error = receiver.deliver(&delivery("{}"), Timestamp::now()).await.unwrap_err();
        kinds.push(error.kind().as_str());
        shown += &format!(
            "{error} {error:?} {:?} ",
            std::error::Error::source(&error).map(ToString::to_string)
        );
        tell(&store, &clock, [(incident, 1, name.as_str())]).await;
        start(receiver, &store, &clock);
        until("a recorded error", async || {
            detail(&store, incident).await.messages[0].last_error.is_some()
        })
        .await;
        shown += &serde_json::to_string(&detail(&store, incident).await).unwrap();
    }
    #[rustfmt::skip]
    assert_eq!(kinds, [
        "refused", "server_error", "server_error", "redirect", "broken", "broken", "connect", "connect", "connect",
    ]);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        log.contains("message refused for good") && log.contains("message not delivered"),
        "{log}"
    );
    for secret in SECRETS {
        assert!(!shown.contains(secret), "{secret} is shown: {shown}");
        assert!(!log.contains(secret), "{secret} is logged: {log}");
        let half = &secret[..9];
        assert!(!shown.contains(half), "half of {secret} is shown: {shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_never_answers_is_given_up_after_15_seconds() {
    let address = raw_peer(|stream| {
        read_request(stream);
        // Until the other side hangs up.
        let _ = stream.read(&mut [0; 16]);
    });
    let begin = tokio::time::Instant::now();
    let error = receiver("team", &format!("http://{address}/T0K3N"))
        .deliver(&delivery("{}"), Timestamp::now())
        .await
        .unwrap_err();
    assert_eq!(error.retry(), Retry::Later);
    assert!(!error.to_string().contains("T0K3N"), "{error}");
    assert!(begin.elapsed() <= Duration::from_secs(16), "{:?}", begin.elapsed());
}

#[test]
fn settings_that_cannot_work_are_refused_without_their_values() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let with = |change: fn(&mut WebhookSettings)| {
        let mut webhook = settings("team", "https://hooks.example/T0K3N").1;
        change(&mut webhook);
        let settings = ReceiverSettings {
            name: "team".to_owned(),
            kind: ReceiverKind::Webhook(webhook),
        };
        Receiver::all(&[settings]).unwrap_err().to_string()
    };
    #[rustfmt::skip]
    let table: [(&str, fn(&mut WebhookSettings)); 6] = [
        ("receiver `team`: its url cannot be understood: relative URL without a base", |webhook| webhook.url = "T0K3N".into()),
        ("receiver `team`: its url must begin with http:// or https:// and name a host", |webhook| webhook.url = "ftp://T0K3N/".into()),
        ("receiver `team`: what follows `whsec_` in the secret is not base64", |webhook| webhook.secret = Some("whsec_T0K3N!".into())),
        ("receiver `team`: the secret is empty", |webhook| webhook.secret = Some("".into())),
        ("receiver `team`: `a b` is not the name of a header", |webhook| drop(webhook.headers.insert("a b".into(), "T0K3N".into()))),
        ("receiver `team`: the value of header `x` has characters that no header can hold", |webhook| drop(webhook.headers.insert("x".into(), "T0K3N\n".into()))),
    ];
    for (expected, change) in table {
        assert_eq!(with(change), expected);
    }
}
