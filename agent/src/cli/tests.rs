//! What operators read, word for word, and the commands against a real server on a real socket.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sentinel_api::{
    AcknowledgedStatus, ActionEntry, EvidenceEntry, FlappingStatus, HoldStatus, IncidentDetail, IncidentSummary,
    MessageEntry, ModeWord, ObservedStatus, ProbeStatus, ReloadResponse, ServiceStatus, StatusResponse, TimelineEntry,
    UnseenStatus, Waiting,
};
use sentinel_config::OriginKind;
use sentinel_config::discovery::Source;
use sentinel_driver::control::ControlRequest;
use sentinel_engine::{IncidentId, OperatorRequest, RequestError};
use sentinel_text::Paint;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::server::{self, Access, ControlSocket, ServerInfo};

use super::{ClientError, Exit, View, health, incidents, operator, reload, status};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn zone() -> TimeZone {
    TimeZone::fixed(jiff::tz::offset(1))
}

fn plain() -> Paint {
    Paint::fixed(false)
}

fn service(name: &str, state: &str) -> ServiceStatus {
    ServiceStatus {
        origin: OriginKind::File,
        origin_place: String::new(),
        name: name.to_owned(),
        state: state.to_owned(),
        since: at("2026-03-01T11:58:20Z"),
        since_seconds: 100.0,
        mode: ModeWord::Heal,
        hold: None,
        waiting: vec![],
        maintenance: vec![],
        target: "running".to_owned(),
        last_probe: None,
        not_probed_seconds: None,
        incident: None,
        acknowledged: None,
        attempts_left: 5,
        recoveries_total: 0,
        observed: None,
        flapping: None,
    }
}

fn probe(ok: Option<bool>, text: &str, status_code: Option<u16>) -> ProbeStatus {
    ProbeStatus {
        ok,
        text: text.to_owned(),
        status_code,
        latency_ms: 2.6,
        at: at("2026-03-01T11:59:55Z"),
    }
}

fn waiting(what: &str, seconds: f64) -> Waiting {
    Waiting {
        what: what.to_owned(),
        seconds,
    }
}

fn shop() -> ServiceStatus {
    ServiceStatus {
        hold: Some(HoldStatus {
            kind: "backoff".to_owned(),
            text: "the next attempt is not due yet".to_owned(),
        }),
        waiting: vec![waiting("next attempt", 8.0), waiting("next probe", 9.0)],
        target: "down: killed by signal KILL".to_owned(),
        last_probe: Some(probe(Some(false), "connection refused", None)),
        incident: Some(3),
        attempts_left: 2,
        recoveries_total: 7,
        ..service("shop", "backoff")
    }
}

fn everything() -> StatusResponse {
    let web = ServiceStatus {
        last_probe: Some(probe(Some(true), "passed", Some(200))),
        waiting: vec![waiting("next probe", 5.0)],
        ..service("web", "healthy")
    };
    let cache = ServiceStatus {
        mode: ModeWord::Observe,
        last_probe: Some(probe(None, "could not ask: no file descriptor left", None)),
        not_probed_seconds: Some(42.0),
        ..service("cache", "unknown")
    };
    StatusResponse {
        host: "web-1".to_owned(),
        version: "0.1.0".to_owned(),
        since: at("2026-03-01T11:00:00Z"),
        rejected: vec![],
        unseen: vec![],
        web: None,
        services: vec![cache, shop(), web],
    }
}

fn summary() -> IncidentSummary {
    IncidentSummary {
        id: 3,
        service: "shop".to_owned(),
        cause: "killed by signal KILL".to_owned(),
        cause_kind: "killed".to_owned(),
        opened_at: at("2026-03-01T11:58:20.123Z"),
        closed_at: Some(at("2026-03-01T11:58:41.623Z")),
        duration_seconds: 21.5,
        down_seconds: Some(0.2),
        proved_after_seconds: Some(21.5),
        resolution: Some("healed".to_owned()),
        attempts: 1,
    }
}

fn detail() -> IncidentDetail {
    let entry = |moment, kind: &str, text: &str| TimelineEntry {
        at: at(moment),
        kind: kind.to_owned(),
        text: text.to_owned(),
    };
    let message = |receiver: &str, state: &str, attempts, last_error: Option<&str>| MessageEntry {
        id: format!("msg_3_1_{receiver}"),
        receiver: receiver.to_owned(),
        kind: "healed".to_owned(),
        severity: "info".to_owned(),
        state: state.to_owned(),
        attempts,
        last_error: last_error.map(str::to_owned),
    };
    IncidentDetail {
        cause_facts: serde_json::Value::Null,
        summary: summary(),
        timeline: vec![
            entry("2026-03-01T11:58:20.123Z", "died", "killed by signal KILL"),
            entry("2026-03-01T11:58:20.125Z", "restart", "start, attempt 1"),
            entry(
                "2026-03-01T11:58:41.623Z",
                "incident_closed",
                "healed, down 0.2s, proved after 21s",
            ),
        ],
        evidence: vec![
            EvidenceEntry {
                at: at("2026-03-01T11:58:20.123Z"),
                title: "its last log lines".to_owned(),
                text: "listening on :8080\nout of ideas".to_owned(),
                missing: false,
            },
            EvidenceEntry {
                at: at("2026-03-01T11:58:30.000Z"),
                title: "its last log lines".to_owned(),
                text: "journalctl: no".to_owned(),
                missing: true,
            },
        ],
        actions: vec![ActionEntry {
            id: 7,
            attempt: 1,
            kind: "start".to_owned(),
            started_at: at("2026-03-01T11:58:20.125Z"),
            ended_at: Some(at("2026-03-01T11:58:20.425Z")),
            result: Some("carried out".to_owned()),
            helped: None,
        }],
        messages: vec![
            message("team", "delivered", 1, None),
            message("pager", "pending", 2, Some("status 503")),
        ],
    }
}

#[test]
fn status_lists_every_service() {
    assert_eq!(
        status::all(&everything(), plain()),
        "web-1: 3 services watched, 1 not healthy, 1 not known yet\n\
         \n\
         SERVICE  STATE    SINCE  LAST PROBE                                      LEFT  WAITING FOR\n\
         cache    unknown  1m40s  could not ask: no file descriptor left, 5s ago  5     not probed for 42s; observing only\n\
         shop     backoff  1m40s  connection refused, 5s ago                      2     the next attempt is not due yet; next attempt in 8s; incident 3\n\
         web      healthy  1m40s  200 in 3ms, 5s ago                              5     next probe in 5s\n"
    );
}

#[test]
fn status_of_nothing_is_a_line() {
    let nothing = StatusResponse {
        services: vec![],
        ..everything()
    };
    assert_eq!(status::all(&nothing, plain()), "web-1: 0 services watched\n");
    let healthy = StatusResponse {
        services: vec![service("web", "healthy")],
        ..everything()
    };
    assert!(status::all(&healthy, plain()).starts_with("web-1: 1 service watched, all healthy\n"));
}

#[test]
fn status_says_what_is_not_looked_at_yet_and_what_cannot_be_seen() {
    let unseen = |source, reason: Option<&str>| UnseenStatus {
        source,
        reason: reason.map(str::to_owned),
    };
    let denied = Some("permission denied on /run/docker.sock");
    let started = StatusResponse {
        services: vec![],
        unseen: vec![
            unseen(Source::Labels, denied),
            unseen(Source::UnitFiles, None),
            unseen(Source::HostUnits, None),
            unseen(Source::HostContainers, denied),
        ],
        ..everything()
    };
    assert_eq!(
        status::all(&started, plain()),
        "web-1: 0 services watched\n\n\
         cannot be seen: labels of containers, containers (permission denied on /run/docker.sock; `sentinel doctor` says what helps)\n\
         not looked at yet: sections of unit files, systemd services\n"
    );
}

#[test]
fn status_reports_one_service_in_full() {
    assert_eq!(
        status::one(&shop(), plain(), &zone()),
        "shop: backoff for 1m40s (since 2026-03-01 12:58:20 +01:00)\n\
         \x20 target         down: killed by signal KILL\n\
         \x20 last probe     connection refused, 5s ago\n\
         \x20 held           the next attempt is not due yet\n\
         \x20 waiting for    next attempt in 8s\n\
         \x20 waiting for    next probe in 9s\n\
         \x20 incident       3 (sentinel incidents 3)\n\
         \x20 attempts left  2\n\
         \x20 recoveries     7\n\
         \x20 mode           heal\n\
         \x20 defined by     file\n"
    );
}

#[test]
fn status_says_who_takes_care_of_it() {
    let acknowledged = |text: &str| ServiceStatus {
        acknowledged: Some(AcknowledgedStatus {
            by: "ops".to_owned(),
            text: text.to_owned(),
            at: at("2026-03-01T11:58:20Z"),
        }),
        incident: Some(3),
        ..service("shop", "gave_up")
    };
    let line = "  acknowledged   by ops, 2026-03-01 12:58:20 +01:00";
    let text = status::one(&acknowledged("disk\u{1b}[31m is full"), plain(), &zone());
    assert!(
        text.contains(&format!("{line}: disk")) && !text.contains('\u{1b}'),
        "{text:?}"
    );
    let text = status::one(&acknowledged(""), plain(), &zone());
    assert!(text.contains(&format!("{line}\n")), "{text}");
}

#[test]
fn status_says_that_messages_are_withheld() {
    let flapping = ServiceStatus {
        flapping: Some(FlappingStatus {
            since: at("2026-03-01T11:58:20Z"),
            incidents: 7,
            stable_seconds: 600.0,
        }),
        ..service("shop", "healthy")
    };
    let text = status::one(&flapping, plain(), &zone());
    let line = "  flapping       went down 7 times since 2026-03-01 12:58:20 +01:00; messages wait until it has been stable for 10m";
    assert!(text.contains(line), "{text}");
}

#[test]
fn status_reports_what_would_have_been_done() {
    let observed = ServiceStatus {
        mode: ModeWord::Observe,
        observed: Some(ObservedStatus {
            would_have_restarted: 3,
            right: 1,
        }),
        ..service("shop", "healthy")
    };
    let text = status::one(&observed, plain(), &zone());
    assert!(
        text.ends_with("  observed       would have restarted 3 times, right 1 time\n"),
        "{text}"
    );
}

#[test]
fn colours_are_only_colours() {
    let strip = |text: String| {
        let mut out = String::new();
        for (index, part) in text.split('\x1b').enumerate() {
            out.push_str(if index == 0 {
                part
            } else {
                part.split_once('m').unwrap().1
            });
        }
        out
    };
    let paint = Paint::fixed(true);
    let coloured = status::all(&everything(), paint);
    assert!(coloured.contains("\x1b[32mhealthy\x1b[0m"));
    assert_eq!(strip(coloured), status::all(&everything(), plain()));
    assert_eq!(
        strip(incidents::one(&detail(), paint, &zone())),
        incidents::one(&detail(), plain(), &zone())
    );
}

#[test]
fn what_a_service_answers_cannot_drive_the_terminal() {
    let mut evil = shop();
    evil.last_probe = Some(probe(Some(false), "\x1b]0;owned\x07\nweb  healthy", None));
    let text = status::one(&evil, plain(), &zone());
    assert!(text.contains(r"\u001b]0;owned\u0007\nweb  healthy"), "{text}");
    assert_eq!(text.lines().count(), 11);
}

#[test]
fn incidents_are_listed_newest_first() {
    let open = IncidentSummary {
        id: 12,
        closed_at: None,
        resolution: None,
        duration_seconds: 3700.0,
        down_seconds: None,
        proved_after_seconds: None,
        attempts: 5,
        cause: "probe failed: status 500".to_owned(),
        ..summary()
    };
    assert_eq!(
        incidents::list(&[open, summary()], plain(), &zone()),
        "ID  SERVICE  OPENED                      DOWN  PROVED  OUTCOME  ATTEMPTS  CAUSE\n\
         12  shop     2026-03-01 12:58:20 +01:00  1h1m          open     5         probe failed: status 500\n\
         3   shop     2026-03-01 12:58:20 +01:00  0.2s  22s     healed   1         killed by signal KILL\n"
    );
    assert_eq!(incidents::list(&[], plain(), &zone()), "no incidents\n");
}

#[test]
fn an_incident_is_distinguished_from_beginning_to_end() {
    assert_eq!(
        incidents::one(&detail(), plain(), &zone()),
        "incident 3: shop was down 0.2s, proved after 22s, healed\n\
         \x20 cause     killed by signal KILL\n\
         \x20 opened    2026-03-01 12:58:20 +01:00\n\
         \x20 closed    2026-03-01 12:58:41 +01:00\n\
         \x20 attempts  1\n\
         \n\
         timeline\n\
         \x20 2026-03-01 12:58:20.123 +01:00  died             killed by signal KILL\n\
         \x20 2026-03-01 12:58:20.125 +01:00  restart          start, attempt 1\n\
         \x20 2026-03-01 12:58:41.623 +01:00  incident_closed  healed, down 0.2s, proved after 21s\n\
         \n\
         its last log lines, 2026-03-01 12:58:20.123 +01:00\n\
         \x20 listening on :8080\n\
         \x20 out of ideas\n\
         \n\
         its last log lines, 2026-03-01 12:58:30.000 +01:00\n\
         \x20 cannot be read: journalctl: no\n\
         \n\
         actions\n\
         \x20 2026-03-01 12:58:20.125 +01:00  start  attempt 1, carried out after 0.3s\n\
         \n\
         messages\n\
         \x20 team   healed  delivered, 1 attempt                         msg_3_1_team\n\
         \x20 pager  healed  pending, 2 attempts, last error: status 503  msg_3_1_pager\n"
    );
}

#[test]
fn an_end_says_how_long_it_was_down_as_far_as_that_is_known() {
    let table = [
        (
            Some(0.2),
            Some(21.5),
            "healed",
            "was down 0.2s, proved after 22s, healed",
        ),
        (Some(21.5), Some(21.5), "recovered", "was down 22s, recovered"),
        (Some(90.0), None, "stopped", "was down 1m30s, stopped"),
        // It was never seen to fail, or an earlier version recorded it.
        (None, None, "recovered", "had trouble for 22s, recovered"),
    ];
    for (down_seconds, proved_after_seconds, resolution, expected) in table {
        let incident = IncidentDetail {
            summary: IncidentSummary {
                down_seconds,
                proved_after_seconds,
                resolution: Some(resolution.to_owned()),
                ..summary()
            },
            ..detail()
        };
        let reported = incidents::one(&incident, plain(), &zone());
        assert_eq!(
            reported.lines().next(),
            Some(format!("incident 3: shop {expected}").as_str())
        );
    }
}

#[test]
fn an_open_incident_has_no_empty_sections() {
    let open = IncidentDetail {
        cause_facts: serde_json::Value::Null,
        summary: IncidentSummary {
            closed_at: None,
            resolution: None,
            down_seconds: None,
            proved_after_seconds: None,
            attempts: 0,
            ..summary()
        },
        timeline: vec![],
        evidence: vec![],
        actions: vec![],
        messages: vec![],
    };
    assert_eq!(
        incidents::one(&open, plain(), &zone()),
        "incident 3: shop has been down for 22s\n\
         \x20 cause     killed by signal KILL\n\
         \x20 opened    2026-03-01 12:58:20 +01:00\n\
         \x20 attempts  0\n"
    );
}

/// A server whose driver knows the service `a b/ü?` and incident 3, and passes on what operators ask.
async fn serve(socket: &Path) -> mpsc::Receiver<OperatorRequest> {
    let (handle, mut requests) = sentinel_driver::control::channel();
    let (asked, operators) = mpsc::channel(1024);
    let info = ServerInfo {
        web: tokio::sync::watch::Sender::new(None).subscribe(),
        since: Timestamp::UNIX_EPOCH,
    };
    let bound = ControlSocket::bind(socket).await.unwrap();
    tokio::spawn(bound.serve(server::router(info, handle, Access::Control), std::future::pending()));
    tokio::spawn(async move {
        while let Some(request) = requests.recv().await {
            match request {
                // Dropping the reply is an answer too.
                ControlRequest::Status { .. } | ControlRequest::Metrics { .. } | ControlRequest::Alerts(_) => {}
                ControlRequest::Operator {
                    service,
                    request,
                    reply,
                } => {
                    let known = service.as_str() == "a b/ü?";
                    asked.try_send(request).unwrap();
                    let _ = reply.send(if known {
                        Ok(())
                    } else {
                        Err(RequestError::UnknownService)
                    });
                }
                ControlRequest::Reload { reply } => {
                    let response = ReloadResponse {
                        added: 1,
                        unchanged: 2,
                        warnings: vec!["odd".to_owned()],
                        ..ReloadResponse::default()
                    };
                    drop(reply.send(Ok(response)));
                }
                ControlRequest::Incidents { query, reply } => {
                    let wanted = query.service.as_deref() == Some("a&b") && query.limit == 7;
                    drop(reply.send(Ok(if wanted { vec![summary()] } else { vec![] })));
                }
                ControlRequest::Queue { reply, .. } => {
                    let (receivers, messages) = (vec![], vec![]);
                    drop(reply.send(Ok(sentinel_api::QueueResponse { receivers, messages })));
                }
                ControlRequest::Incident { id, reply } => drop(reply.send(Ok((id == IncidentId(3)).then(detail)))),
            }
        }
    });
    operators
}

fn view(json: bool) -> View {
    View {
        json,
        paint: plain(),
        zone: zone(),
    }
}

#[tokio::test]
async fn commands_reach_the_agent_and_bring_its_answer() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("control.sock");
    let mut operators = serve(&socket).await;
    let client = super::Client::new(&socket).unwrap();

    let text = incidents::run(&client, &view(false), Some(3), None, 20).await.unwrap();
    assert_eq!(text, incidents::one(&detail(), plain(), &zone()));
    let json = incidents::run(&client, &view(true), None, Some("a&b"), 7)
        .await
        .unwrap();
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["incidents"][0]["id"], 3);

    let hour = Some(Duration::from_secs(7200));
    let text = operator::pause(&client, &view(false), "a b/ü?", hour).await.unwrap();
    assert_eq!(text, "`a b/ü?` is paused for 2h");
    assert_eq!(operators.recv().await, Some(OperatorRequest::Pause { duration: hour }));
    operator::pause(&client, &view(false), "a b/ü?", None).await.unwrap();
    assert_eq!(operators.recv().await, Some(OperatorRequest::Pause { duration: None }));
    let json = operator::restart(&client, &view(true), "a b/ü?").await.unwrap();
    assert_eq!(json, r#"{"service":"a b/ü?","request":"restart"}"#);
    assert_eq!(operators.recv().await, Some(OperatorRequest::Restart));

    let text = reload::run(&client, &view(false)).await.unwrap();
    assert_eq!(
        text,
        "warning: odd\nreloaded; services: 1 added, 0 removed, 0 changed, 2 unchanged\n"
    );
}

#[tokio::test]
async fn a_refusal_is_a_no_and_silence_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("control.sock");
    let _operators = serve(&socket).await;
    let client = super::Client::new(&socket).unwrap();

    let error = operator::resume(&client, &view(false), "nope").await.unwrap_err();
    assert_eq!(
        (error.exit(), error.explain()),
        (Exit::Failure, "there is no service `nope`".to_owned())
    );
    let error = incidents::run(&client, &view(false), Some(4), None, 20)
        .await
        .unwrap_err();
    assert_eq!(error.exit(), Exit::Failure);
    let error = status::run(&client, &view(false), None).await.unwrap_err();
    assert_eq!(
        (error.exit(), error.explain()),
        (Exit::Unreachable, "the agent is stopping".to_owned())
    );
}

#[tokio::test]
async fn without_an_agent_the_reader_is_shown_how_to_start_one() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing.sock");
    let stale = directory.path().join("stale.sock");
    drop(tokio::net::UnixListener::bind(&stale).unwrap());
    for socket in [missing, stale] {
        let client = super::Client::new(&socket).unwrap();
        let error = status::run(&client, &view(false), None).await.unwrap_err();
        assert!(matches!(error, ClientError::Unreachable { .. }));
        assert_eq!(error.exit(), Exit::Unreachable);
        let place = socket.display();
        assert_eq!(
            error.explain(),
            format!("no agent is listening on `{place}`; start it with `systemctl start sentinel` or `sentinel run`")
        );
    }
}

#[tokio::test]
async fn an_agent_that_stands_still_is_not_healthy() {
    let directory = tempfile::tempdir().unwrap();
    let limit = Duration::from_millis(50);
    let asked = async |socket: &Path| {
        let client = super::Client::new(socket).unwrap();
        health::run(&client, &view(false), limit).await.unwrap_err().to_string()
    };
    // Its loop does not take requests any more.
    let ending = directory.path().join("ending.sock");
    let _operators = serve(&ending).await;
    assert_eq!(asked(&ending).await, "the agent is stopping");
    // Not even its server does.
    let silent = directory.path().join("silent.sock");
    let _listener = tokio::net::UnixListener::bind(&silent).unwrap();
    assert_eq!(asked(&silent).await, "the agent did not answer within 50ms");
    let missing = directory.path().join("missing.sock");
    assert!(asked(&missing).await.starts_with("no agent is listening on"));
}
