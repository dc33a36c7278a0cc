//! The API over a real socket, with a driver that answers from a script.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use sentinel_api::{AckResponse, IncidentDetail, IncidentSummary, SilenceEntry};
use sentinel_config::discovery::{Source, Unseen};
use sentinel_driver::control::{
    AlertRefusal, AlertRequest, ControlHandle, ControlRequest, HistoryError, ReloadRefused, StatusView, channel,
};
use sentinel_engine::alerting::{AckError, Acknowledgement, Match, SilenceError};
use sentinel_engine::{
    FailureKind, Hold, IncidentId, Mode, OperatorRequest, ProbeFailure, ProbeOutcome, ProbePhase, RequestError,
    ServiceSnapshot, State, Time, Verdict,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixSocket, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::bounded::{Bounded, Limits};
use super::{Access, ControlSocket, ServerError, ServerInfo, router};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server, its socket and what operators asked of it.
struct Running {
    directory: TempDir,
    stop: oneshot::Sender<()>,
    server: JoinHandle<io::Result<()>>,
    operators: mpsc::Receiver<(String, OperatorRequest)>,
}

fn info() -> ServerInfo {
    ServerInfo {
        web: tokio::sync::watch::Sender::new(None).subscribe(),
        since: "2026-01-01T00:00:00Z".parse().unwrap(),
    }
}

fn socket(directory: &TempDir) -> PathBuf {
    directory.path().join("run/control.sock")
}

impl Running {
    async fn start(access: Access) -> Self {
        let (handle, requests) = channel();
        let (asked, operators) = mpsc::channel(1024);
        tokio::spawn(drive(requests, asked));
        Self::with(handle, access, operators).await
    }

    async fn with(handle: ControlHandle, access: Access, operators: mpsc::Receiver<(String, OperatorRequest)>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let bound = ControlSocket::bind(&socket(&directory)).await.unwrap();
        let (stop, stopped) = oneshot::channel();
        let stopped = async move { drop(stopped.await) };
        let server = tokio::spawn(bound.serve(router(info(), handle, access), stopped));
        Self {
            directory,
            stop,
            server,
            operators,
        }
    }

    fn socket(&self) -> PathBuf {
        socket(&self.directory)
    }

    async fn ask(&self, request: &str, body: &str) -> (u16, Value) {
        ask(&self.socket(), request, body).await
    }
}

/// One request on a connection of its own: the status and the JSON of the answer.
async fn ask(socket: &Path, request: &str, body: &str) -> (u16, Value) {
    let answer = timeout(PATIENCE, raw(socket, request, body)).await.unwrap().unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let body = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
    (status, body)
}

async fn raw(socket: &Path, request: &str, body: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket).await?;
    let length = body.len();
    let head = format!("{request} HTTP/1.1\r\nHost: sentinel\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    // A server that refuses a body may close before it has read all of it.
    let _ = stream.write_all(body.as_bytes()).await;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// Answers as a driver would that watches `shop` (down) and `web` (healthy), and knows incident 3.
async fn drive(mut requests: mpsc::Receiver<ControlRequest>, asked: mpsc::Sender<(String, OperatorRequest)>) {
    while let Some(request) = requests.recv().await {
        match request {
            ControlRequest::Status { reply } => drop(reply.send(view())),
            // Not asked for over this socket.
            ControlRequest::Metrics { reply } => drop(reply),
            ControlRequest::Operator {
                service,
                request,
                reply,
            } => {
                let known = ["shop", "web"].contains(&service.as_str());
                if known {
                    asked.try_send((service.to_string(), request)).unwrap();
                }
                let _ = reply.send(if known {
                    Ok(())
                } else {
                    Err(RequestError::UnknownService)
                });
            }
            ControlRequest::Incidents { query, reply } => drop(reply.send(match query.service.as_deref() {
                Some("broken") => Err(HistoryError("disk I/O error".to_owned())),
                Some("web") => Ok(vec![]),
                _ => Ok(vec![summary(); usize::try_from(query.limit).unwrap().min(2)]),
            })),
            ControlRequest::Alerts(request) => alert(request),
            ControlRequest::Reload { reply } => drop(reply.send(Err(ReloadRefused("line 1\nline 2".to_owned())))),
            ControlRequest::Queue { reply, .. } => {
                let (receivers, messages) = (vec![], vec![]);
                drop(reply.send(Ok(sentinel_api::QueueResponse { receivers, messages })));
            }
            ControlRequest::Incident { id, reply } => drop(reply.send(Ok((id == IncidentId(3)).then(detail)))),
        }
    }
}

/// Knows silence 1 and incident 3.
fn alert(request: AlertRequest) {
    let entry = |matches: Match, by, comment, duration| SilenceEntry {
        id: 1,
        services: matches.services,
        severities: matches.severities,
        labels: matches.labels,
        by,
        comment,
        since: Timestamp::UNIX_EPOCH,
        until: Timestamp::UNIX_EPOCH + duration,
    };
    let minute = Duration::from_secs(60);
    match request {
        AlertRequest::Silences { reply } => {
            let entry = entry(Match::default(), "root".to_owned(), "why".to_owned(), minute);
            let _ = reply.send(vec![entry]);
        }
        AlertRequest::AddSilence {
            matches,
            duration,
            by,
            comment,
            reply,
        } => drop(reply.send(Ok(entry(matches, by, comment, duration)))),
        AlertRequest::ExpireSilence { id: 1, by, reply } => {
            let _ = reply.send(Ok(entry(Match::default(), by, String::new(), minute)));
        }
        AlertRequest::ExpireSilence { reply, .. } => {
            let _ = reply.send(Err(AlertRefusal::Silence(SilenceError::Unknown)));
        }
        AlertRequest::Acknowledge {
            incident: IncidentId(3),
            by,
            reply,
            ..
        } => {
            let service = "shop".to_owned();
            let _ = reply.send(Ok(AckResponse {
                incident: 3,
                service,
                by,
            }));
        }
        AlertRequest::Acknowledge { reply, .. } => {
            let _ = reply.send(Err(AlertRefusal::Acknowledgement(AckError::NotOpen)));
        }
    }
}

fn view() -> StatusView {
    let at = |seconds| Time::from_epoch(Duration::from_secs(seconds));
    let snapshot = |name: &str, state| ServiceSnapshot {
        name: name.into(),
        state,
        since: at(900),
        mode: Mode::Heal,
        hold: None,
        waiting: vec![],
        maintenance: vec![],
        target: "running".to_owned(),
        last_probe: None,
        unprobed: None,
        incident: None,
        incident_since: None,
        attempts: 0,
        attempts_left: 5,
        recoveries: 0,
        observed: (0, 0),
        flapping: None,
    };
    let refused = ProbeOutcome {
        verdict: Verdict::Failed(ProbeFailure {
            phase: ProbePhase::Connect,
            kind: FailureKind::Refused,
            detail: "connection refused".to_owned(),
        }),
        status_code: None,
        latency: Duration::from_micros(1_500),
        answers: Vec::new(),
    };
    let shop = ServiceSnapshot {
        hold: Some(Hold::Dependency { name: "db".to_owned() }),
        waiting: vec![("next probe", Duration::from_millis(2_500))],
        last_probe: Some((at(990), refused)),
        unprobed: Some(Duration::from_secs(42)),
        incident: Some(IncidentId(3)),
        attempts_left: 2,
        recoveries: 7,
        ..snapshot("shop", State::Suppressed)
    };
    StatusView {
        now: at(1_000),
        wall: "2026-03-01T12:00:00Z".parse().unwrap(),
        host: "web-1".to_owned(),
        services: vec![shop, snapshot("web", State::Healthy)],
        origins: BTreeMap::new(),
        acknowledged: BTreeMap::from([(
            IncidentId(3),
            Acknowledgement {
                by: "ops".to_owned(),
                text: "on it".to_owned(),
                at: at(970),
            },
        )]),
        rejected: Vec::new(),
        unseen: vec![Unseen {
            source: Source::Labels,
            reason: Some("permission denied".to_owned()),
        }],
    }
}

fn summary() -> IncidentSummary {
    IncidentSummary {
        id: 3,
        service: "shop".to_owned(),
        cause: "killed by signal KILL".to_owned(),
        cause_kind: "killed".to_owned(),
        opened_at: "2026-03-01T11:00:00Z".parse().unwrap(),
        closed_at: None,
        duration_seconds: 3600.0,
        down_seconds: None,
        proved_after_seconds: None,
        resolution: None,
        attempts: 2,
    }
}

fn detail() -> IncidentDetail {
    IncidentDetail {
        cause_facts: serde_json::Value::Null,
        summary: summary(),
        timeline: vec![],
        evidence: vec![],
        actions: vec![],
        messages: vec![],
    }
}

#[tokio::test]
async fn a_refused_reload_says_everything_that_is_wrong() {
    let running = Running::start(Access::Control).await;
    let (status, body) = running.ask("POST /v1/reload", "").await;
    assert_eq!((status, &body), (409, &json!({ "error": "line 1\nline 2" })));
    let running = Running::start(Access::Read).await;
    assert_eq!(running.ask("POST /v1/reload", "").await.0, 404);
}

#[tokio::test]
async fn status_reports_everything_about_every_service() {
    let running = Running::start(Access::Control).await;
    let (status, body) = running.ask("GET /v1/status", "").await;
    assert_eq!(status, 200);
    assert_eq!(
        body,
        json!({
            "host": "web-1",
            "version": crate::version::VERSION,
            "since": "2026-01-01T00:00:00Z",
            "rejected": [],
            "unseen": [{ "source": "labels", "reason": "permission denied" }],
            "web": null,
            "services": [{
                "name": "shop",
                "state": "suppressed",
                "since": "2026-03-01T11:58:20Z",
                "since_seconds": 100.0,
                "mode": "heal", "maintenance": [], "origin": "file", "origin_place": "",
                "hold": {"kind": "dependency", "text": "waiting for dependency `db`, which is down"},
                "waiting": [{"what": "next probe", "seconds": 2.5}],
                "target": "running",
                "last_probe": {
                    "ok": false,
                    "text": "connection refused",
                    "status_code": null,
                    "latency_ms": 1.5,
                    "at": "2026-03-01T11:59:50Z",
                },
                "not_probed_seconds": 42.0,
                "incident": 3,
                "acknowledged": {"by": "ops", "text": "on it", "at": "2026-03-01T11:59:30Z"},
                "attempts_left": 2,
                "recoveries_total": 7,
                "observed": null, "flapping": null,
            }, {
                "name": "web",
                "state": "healthy",
                "since": "2026-03-01T11:58:20Z",
                "since_seconds": 100.0,
                "mode": "heal", "maintenance": [], "origin": "file", "origin_place": "",
                "hold": null,
                "waiting": [],
                "target": "running",
                "last_probe": null, "not_probed_seconds": null,
                "incident": null,
                "acknowledged": null,
                "attempts_left": 5,
                "recoveries_total": 0,
                "observed": null, "flapping": null,
            }],
        })
    );
    let (_, one) = running.ask("GET /v1/status?service=web", "").await;
    assert_eq!(one["services"], json!([body["services"][1]]));
}

#[tokio::test]
async fn incidents_are_listed_and_reported() {
    let running = Running::start(Access::Read).await;
    let (status, list) = running.ask("GET /v1/incidents?limit=1", "").await;
    assert_eq!((status, list["incidents"].as_array().unwrap().len()), (200, 1));
    let (status, one) = running.ask("GET /v1/incidents/3", "").await;
    assert_eq!(status, 200);
    assert_eq!(
        one["cause"], "killed by signal KILL",
        "the summary's fields stand beside the timeline"
    );
    assert_eq!(one["timeline"], json!([]));
    assert_eq!(
        running.ask("GET /v1/incidents?service=web", "").await.1,
        json!({"incidents": []})
    );
}

#[tokio::test]
async fn an_operators_request_reaches_the_driver() {
    let mut running = Running::start(Access::Control).await;
    for (request, body) in [
        ("POST /v1/services/shop/restart", ""),
        ("POST /v1/services/shop/pause", r#"{"duration_seconds":7200}"#),
        ("POST /v1/services/shop/pause", ""),
        ("POST /v1/services/w%65b/resume", ""),
    ] {
        let (status, answer) = running.ask(request, body).await;
        assert_eq!(status, 202, "{request}: {answer}");
    }
    let mut asked = Vec::new();
    while let Ok(one) = running.operators.try_recv() {
        asked.push(one);
    }
    let pause = |seconds: Option<u64>| OperatorRequest::Pause {
        duration: seconds.map(Duration::from_secs),
    };
    let shop = || "shop".to_owned();
    assert_eq!(
        asked,
        [
            (shop(), OperatorRequest::Restart),
            (shop(), pause(Some(7200))),
            (shop(), pause(None)),
            ("web".to_owned(), OperatorRequest::Resume),
        ]
    );
}

#[tokio::test]
async fn every_refusal_is_json_with_its_status() {
    let running = Running::start(Access::Control).await;
    let huge = " ".repeat(17 * 1024);
    for (request, body, status, error) in [
        ("GET /v1/status?service=nope", "", 404, "there is no service `nope`"),
        ("POST /v1/services/nope/restart", "", 404, "there is no service `nope`"),
        (
            "POST /v1/services/%1b%5b2J/restart",
            "",
            404,
            r"there is no service `\u001b[2J`",
        ),
        ("GET /v1/incidents/4", "", 404, "there is no incident 4"),
        ("GET /v1/nothing", "", 404, "there is no `GET /v1/nothing`"),
        ("DELETE /v1/status", "", 405, "`DELETE /v1/status` is not offered here"),
        (
            "GET /v1/incidents?limit=0",
            "",
            400,
            "`limit` must be between 1 and 1000",
        ),
        (
            "GET /v1/incidents?limit=1001",
            "",
            400,
            "`limit` must be between 1 and 1000",
        ),
        (
            "GET /v1/incidents?service=broken",
            "",
            500,
            "the store could not be read: disk I/O error",
        ),
        (
            "POST /v1/services/shop/pause",
            r#"{"duration_seconds":0}"#,
            400,
            "`duration_seconds` must be between 1 and 31622400",
        ),
        (
            "POST /v1/services/shop/pause",
            r#"{"duration":1}"#,
            400,
            "the body is not as documented: unknown field `duration`, expected `duration_seconds` at line 1 column 11",
        ),
    ] {
        assert_eq!(
            running.ask(request, body).await,
            (status, json!({ "error": error })),
            "{request}"
        );
    }
    for (request, body, expected) in [
        ("GET /v1/incidents/x", "", 400),
        ("GET /v1/incidents?limit=-1", "", 400),
        ("GET /v1/status?name=shop", "", 400),
        ("POST /v1/services/shop/pause", huge.as_str(), 413),
    ] {
        let (status, answer) = running.ask(request, body).await;
        assert_eq!(status, expected, "{request}: {answer}");
        assert!(
            answer["error"].as_str().is_some_and(|error| !error.is_empty()),
            "{request}: {answer}"
        );
    }
}

#[tokio::test]
async fn readers_cannot_act() {
    let mut running = Running::start(Access::Read).await;
    let (status, _) = running.ask("POST /v1/services/shop/restart", "").await;
    assert_eq!(status, 404);
    assert!(running.operators.try_recv().is_err());
}

#[tokio::test]
async fn a_driver_that_is_gone_is_reported() {
    let (handle, requests) = channel();
    drop(requests);
    let running = Running::with(handle, Access::Control, mpsc::channel(1024).1).await;
    assert_eq!(
        running.ask("GET /v1/status", "").await,
        (503, json!({"error": "the agent is stopping"}))
    );
}

// On a clock that jumps: nothing but the deadline is waited for.
#[tokio::test(start_paused = true)]
async fn a_driver_that_stands_still_costs_its_clients_a_deadline_and_others_nothing() {
    let (handle, _requests) = channel();
    let running = Running::with(handle, Access::Control, mpsc::channel(1024).1).await;
    let stuck = running.ask("GET /v1/status", "");
    let (stuck, other) = tokio::join!(stuck, running.ask("GET /v1/version", ""));
    assert_eq!(stuck, (504, json!({"error": "no answer within 10s"})));
    assert_eq!(other.0, 200);
}

#[tokio::test]
async fn the_socket_is_for_owner_and_group_and_goes_with_the_server() {
    let running = Running::start(Access::Control).await;
    let path = running.socket();
    let found = fs::symlink_metadata(&path).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o660);
    let directory = fs::metadata(path.parent().unwrap()).unwrap();
    assert_eq!(directory.permissions().mode() & 0o777, 0o750);
    assert_eq!(
        fs::read_dir(path.parent().unwrap()).unwrap().count(),
        1,
        "nothing is left beside it"
    );

    // An idle connection must not hold up the end.
    let _idle = UnixStream::connect(&path).await.unwrap();
    running.stop.send(()).unwrap();
    timeout(PATIENCE, running.server).await.unwrap().unwrap().unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_a_living_one_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "nobody removed the stale one");

    let living = ControlSocket::bind(&path).await.unwrap();
    let error = ControlSocket::bind(&path).await.unwrap_err();
    assert!(matches!(error, ServerError::InUse(_)), "{error}");
    drop(living);
    assert!(!path.exists());
}

#[tokio::test]
async fn another_agents_socket_is_not_removed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    let first = ControlSocket::bind(&path).await.unwrap();
    fs::remove_file(&path).unwrap();
    let second = ControlSocket::bind(&path).await.unwrap();
    drop(first);
    assert!(path.exists());
    drop(second);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_file_in_the_way_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    fs::write(&path, "precious").unwrap();
    let error = ControlSocket::bind(&path).await.unwrap_err();
    assert!(matches!(error, ServerError::NotASocket(_)), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"precious");
}

/// Serves a socket within these limits. Those are privileged who gave their own end a name.
fn serve_within(limits: Limits) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    let limits = Limits {
        is_privileged: |stream| stream.peer_addr().is_ok_and(|address| !address.is_unnamed()),
        ..limits
    };
    let listener = Bounded::new(UnixListener::bind(&path).unwrap(), limits);
    let router = router(info(), channel().0, Access::Read);
    tokio::spawn(async move { axum::serve(listener, router).await });
    (directory, path)
}

/// Sends `head` on `stream`, and answers what comes until the other side closes.
async fn say(stream: &mut UnixStream, head: &str) -> String {
    let _ = stream.write_all(head.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8(answer).unwrap()
}

const REQUEST: &str = "GET /v1/version HTTP/1.1\r\nHost: sentinel\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn silent_clients_are_put_out_and_make_room() {
    let (_directory, path) = serve_within(Limits {
        connections: 2,
        head: Duration::from_millis(50),
        ..Limits::default()
    });
    let mut silent = Vec::new();
    for _ in 0..4 {
        silent.push(UnixStream::connect(&path).await.unwrap());
    }
    // All of these came first and say nothing; two at a time are put out.
    let (status, _) = ask(&path, "GET /v1/version", "").await;
    assert_eq!(status, 200);
    for mut stream in silent {
        assert_eq!(say(&mut stream, "").await, "");
    }
}

#[tokio::test]
async fn a_head_that_trickles_in_is_put_out() {
    let (_directory, path) = serve_within(Limits {
        connections: 1,
        head: Duration::from_millis(200),
        ..Limits::default()
    });
    let slow = UnixStream::connect(&path).await.unwrap();
    let (mut reading, mut writing) = slow.into_split();
    // A byte whenever the server may have read the last one, for as long as it takes them.
    let trickle = async {
        let head = "GET /v1/version HTTP/1.1\r\nX: ".bytes().chain(std::iter::repeat(b'x'));
        for byte in head {
            if writing.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let ended = async {
        let mut rest = Vec::new();
        let _ = reading.read_to_end(&mut rest).await;
        rest
    };
    let rest = timeout(PATIENCE, async { tokio::join!(trickle, ended).1 })
        .await
        .unwrap();
    assert_eq!(rest, b"", "it was not answered");
    assert_eq!(ask(&path, "GET /v1/version", "").await.0, 200);
}

#[tokio::test]
async fn the_privileged_have_places_that_others_cannot_take() {
    let (directory, path) = serve_within(Limits {
        connections: 2,
        privileged: 1,
        waiting: 2,
        ..Limits::default()
    });
    let mut others = Vec::new();
    for _ in 0..9 {
        others.push(UnixStream::connect(&path).await.unwrap());
    }
    let privileged = |name: &str| {
        let socket = UnixSocket::new_stream().unwrap();
        socket.bind(directory.path().join(name)).unwrap();
        socket.connect(&path)
    };
    // Two are served and two wait, all of them without a word; the others find no room.
    let mut first = privileged("first").await.unwrap();
    assert!(say(&mut first, REQUEST).await.starts_with("HTTP/1.1 200"));
    for mut other in others.split_off(4) {
        assert_eq!(say(&mut other, REQUEST).await, "");
    }
    // The place is free again; and those who wait come in as others go.
    let mut second = privileged("second").await.unwrap();
    assert!(say(&mut second, REQUEST).await.starts_with("HTTP/1.1 200"));
    for mut other in others {
        assert!(say(&mut other, REQUEST).await.starts_with("HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn silences_and_acknowledgements_are_checked_and_carry_their_author() {
    let server = Running::start(Access::Control).await;
    let good = r#"{"services": ["db-*", "(host)"], "severities": ["warning"], "labels": {"team": "web"}, "duration_seconds": 60, "comment": " deploy "}"#;
    let (status, answer) = server.ask("POST /v1/silences", good).await;
    assert_eq!((status, &answer["comment"]), (201, &Value::from("deploy")));
    assert_eq!(answer["by"], author_here(), "whom the kernel names");
    assert_eq!(answer["until"], "1970-01-01T00:01:00Z");
    let (status, answer) = server.ask("GET /v1/silences", "").await;
    assert_eq!((status, answer["silences"].as_array().unwrap().len()), (200, 1));
    assert_eq!(server.ask("POST /v1/silences/1/expire", "").await.0, 200);
    assert_eq!(server.ask("POST /v1/silences/2/expire", "").await.0, 404);
    let (status, answer) = server.ask("POST /v1/incidents/3/ack", r#"{"text": "on it"}"#).await;
    assert_eq!((status, &answer["by"]), (200, &Value::from(author_here())));
    let (status, answer) = server.ask("POST /v1/incidents/4/ack", "{}").await;
    assert_eq!(status, 409);
    assert!(answer["error"].as_str().unwrap().contains("incident 4 is not open"));

    let long = "x".repeat(501);
    for (body, words) in [
        (
            r#"{"duration_seconds": 60, "comment": "why"}"#.to_owned(),
            "say what to silence",
        ),
        (
            r#"{"services": ["DB"], "duration_seconds": 60, "comment": "why"}"#.to_owned(),
            "`DB` is neither",
        ),
        (
            r#"{"services": ["*"], "duration_seconds": 0, "comment": "why"}"#.to_owned(),
            "between 1 and",
        ),
        (
            r#"{"services": ["*"], "duration_seconds": 60, "comment": " "}"#.to_owned(),
            "`comment` must be one line",
        ),
        (
            r#"{"services": ["*"], "duration_seconds": 60, "comment": "a\nb"}"#.to_owned(),
            "`comment` must be one line",
        ),
        (
            format!(r#"{{"services": ["*"], "duration_seconds": 60, "comment": "{long}"}}"#),
            "`comment` must be one line",
        ),
        (
            r#"{"labels": {"Team": "x"}, "duration_seconds": 60, "comment": "why"}"#.to_owned(),
            "not the name of a label",
        ),
        (
            r#"{"severities": ["bad"], "duration_seconds": 60, "comment": "why"}"#.to_owned(),
            "not as documented",
        ),
    ] {
        let (status, answer) = server.ask("POST /v1/silences", &body).await;
        assert_eq!(status, 400, "{body}");
        assert!(answer["error"].as_str().unwrap().contains(words), "{answer}");
    }
    let (status, _) = server
        .ask("POST /v1/incidents/3/ack", &format!(r#"{{"text": "{long}"}}"#))
        .await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn readers_may_see_silences_and_not_make_them() {
    let server = Running::start(Access::Read).await;
    assert_eq!(server.ask("GET /v1/silences", "").await.0, 200);
    for route in [
        "POST /v1/silences",
        "POST /v1/silences/1/expire",
        "POST /v1/incidents/3/ack",
    ] {
        let status = server.ask(route, "{}").await.0;
        assert!(status == 404 || status == 405, "{route} {status}");
    }
}

/// The name of the user that runs this test.
fn author_here() -> String {
    let output = std::process::Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
