//! Whole lines, from the macro or the report to the bytes that are written.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sentinel_driver::report::{Runner, report};
use sentinel_engine::alerting::Reason;
use sentinel_engine::{
    Action, ActionId, ActionKind, ActionResult, Cause, FailureKind, Hold, IncidentId, Outage, ProbeFailure, ProbePhase,
    Report, ReportKind, Resolution, Starter, State, Time,
};
use tracing::Level;
use tracing::subscriber::with_default;
use tracing::{error, info, warn};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;

use super::layer::RecordLayer;
use super::record::VALUE_MAX;
use super::sink::{LineStyle, Output, Sink};
use super::{DEFAULT_FILTER, logfmt as lines, message_id};

/// Longer than any machine needs to write a few lines.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is written while `log` runs.
fn written(style: LineStyle, log: impl FnOnce()) -> String {
    let shared = Shared::default();
    let to = Box::new(shared.clone());
    let sink = Sink::start(Output::Lines { style, to }).unwrap();
    with_default(Registry::default().with(RecordLayer::new(sink.clone())), log);
    assert!(sink.flush(PATIENCE));
    let bytes = shared.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

fn logfmt(log: impl FnOnce()) -> String {
    written(LineStyle::Logfmt { emoji: false }, log)
}

fn emoji(log: impl FnOnce()) -> String {
    written(LineStyle::Logfmt { emoji: true }, log)
}

fn refused() -> Cause {
    Cause::Probe(ProbeFailure {
        phase: ProbePhase::Connect,
        kind: FailureKind::Refused,
        detail: "connection refused".to_owned(),
    })
}

fn about(incident: Option<u64>, what: ReportKind) -> Report {
    Report {
        at: Time::ZERO,
        service: "demo-service".into(),
        incident: incident.map(IncidentId),
        kind: what,
    }
}

fn went_down(cause: Cause, status_code: Option<u16>) -> Report {
    about(None, ReportKind::WentDown { cause, status_code })
}

fn healthy() -> Report {
    let what = ReportKind::BecameHealthy {
        status_code: Some(200),
        recoveries_total: 1,
        by_supervisor: false,
    };
    about(None, what)
}

/// Restarted by its supervisor.
fn healthy_again() -> Report {
    let what = ReportKind::BecameHealthy {
        status_code: Some(200),
        recoveries_total: 2,
        by_supervisor: true,
    };
    about(None, what)
}

fn killed() -> Cause {
    Cause::Killed {
        signal: 9,
        core_dumped: false,
    }
}

fn of(what: ReportKind) -> Report {
    about(Some(3), what)
}

/// One report of every kind, with the line it must give.
pub(super) fn every_kind() -> Vec<(Report, &'static str)> {
    let mut all = what_happens();
    all.extend(what_is_done());
    all.extend(what_operators_hear());
    all
}

fn what_happens() -> Vec<(Report, &'static str)> {
    vec![
        (
            of(ReportKind::StateChanged {
                from: State::Healthy,
                to: State::Suspect,
            }),
            "event=state from=healthy to=suspect incident=3 level=debug",
        ),
        (
            of(ReportKind::WentDown {
                cause: killed(),
                status_code: None,
            }),
            r#"status=down status_code=na event=died cause="killed by signal KILL" incident=3 level=warn"#,
        ),
        (
            of(ReportKind::WentDown {
                cause: refused(),
                status_code: None,
            }),
            r#"status=down status_code=na event=unreachable cause="connection refused" incident=3 level=warn"#,
        ),
        (
            of(ReportKind::WentDown {
                cause: Cause::Unhealthy {
                    output: "no space left".to_owned(),
                },
                status_code: None,
            }),
            r#"status=down status_code=na event=unhealthy cause="its health check fails: no space left" incident=3 level=warn"#,
        ),
        (
            of(ReportKind::WentDown {
                cause: Cause::CrashLoop {
                    restarts: 5,
                    within: Duration::from_secs(600),
                },
                status_code: None,
            }),
            r#"status=down status_code=na event=crash_looping cause="its supervisor restarted it 5 times within 10m" incident=3 level=warn"#,
        ),
        (healthy(), "status=up status_code=200 recoveries_total=1 event=healthy"),
        (
            healthy_again(),
            "status=up status_code=200 recoveries_total=2 event=healthy by=supervisor",
        ),
        (
            of(ReportKind::IncidentOpened { cause: killed() }),
            r#"event=incident_opened incident=3 cause="killed by signal KILL" cause_kind=killed level=warn"#,
        ),
        (
            of(ReportKind::CauseChanged {
                cause: Cause::OomKilled,
            }),
            r#"event=cause_changed incident=3 cause="killed by the kernel, out of memory" cause_kind=oom_killed level=warn"#,
        ),
        (
            of(ReportKind::GaveUp {
                attempts: 5,
                window: Duration::from_secs(1800),
                halved: false,
                cause: Cause::Exited { code: 1 },
            }),
            "status=down event=gave_up incident=3 attempts=5 window=1800 cause=\"exited with code 1\" cause_kind=exited level=error",
        ),
        (
            of(ReportKind::IncidentClosed {
                resolution: Resolution::Healed,
                duration: Duration::from_millis(1_500),
                outage: Outage {
                    down: Some(Duration::from_millis(200)),
                    proved: Some(Duration::from_millis(1_502)),
                    started_by: Starter::Agent,
                },
            }),
            "event=incident_closed incident=3 resolution=healed duration=1.5 down_seconds=0.2 proved_after_seconds=1.502 started_by=agent",
        ),
        (
            of(ReportKind::OperatorActed {
                request: "pause for 2h".to_owned(),
            }),
            r#"event=operator request="pause for 2h" incident=3"#,
        ),
        (
            of(ReportKind::StoppedOnPurpose {
                reason: "stop job".to_owned(),
            }),
            r#"event=stopped reason="stop job" incident=3"#,
        ),
    ]
}

fn what_operators_hear() -> Vec<(Report, &'static str)> {
    vec![
        (
            of(ReportKind::Notified {
                kind: "fired",
                receivers: [("team".to_owned(), Reason::Default)].into(),
            }),
            "event=notified incident=3 kind=fired receivers=team reasons=default",
        ),
        (
            of(ReportKind::NotNotified {
                kind: "fired",
                reason: Reason::Maintenance,
            }),
            r#"event=not_notified incident=3 kind=fired reason="in maintenance" reason_kind=maintenance"#,
        ),
        (
            of(ReportKind::Acknowledged {
                by: "ada".to_owned(),
                text: "on it".to_owned(),
            }),
            r#"event=acknowledged incident=3 by=ada text="on it""#,
        ),
        (
            of(ReportKind::FlappingBegan {
                incidents: 6,
                within: Duration::from_secs(900),
            }),
            "event=flapping incident=3 incidents=6 within=900 level=warn",
        ),
        (
            of(ReportKind::FlappingEnded {
                incidents: 9,
                duration: Duration::from_secs(1800),
            }),
            "event=flapping_ended incident=3 incidents=9 duration=1800",
        ),
        (
            of(ReportKind::MaintenanceChanged {
                reason: Some("backup".to_owned()),
            }),
            "event=maintenance reason=backup open=true incident=3",
        ),
        (
            of(ReportKind::ObservationJudged {
                right: true,
                after: Duration::from_secs(60),
            }),
            "event=observed incident=3 right=true after=60",
        ),
        (
            of(ReportKind::ActionSlow {
                action: ActionId(7),
                after: Duration::from_secs(100),
            }),
            "event=restart_slow incident=3 after=100 action=7 level=warn",
        ),
        (
            of(ReportKind::ActionCutShort {
                action: ActionId(7),
                reason: "stopped by an operator".to_owned(),
            }),
            r#"event=cut_short incident=3 reason="stopped by an operator" action=7"#,
        ),
        (
            of(ReportKind::ActionHeld {
                hold: Hold::Refused {
                    reason: "access denied".to_owned(),
                },
                remaining: None,
            }),
            r#"event=held incident=3 reason="cannot be restarted: access denied" reason_kind=refused"#,
        ),
    ]
}

fn what_is_done() -> Vec<(Report, &'static str)> {
    let action = |attempt| Action {
        id: ActionId(7),
        service: "demo-service".into(),
        incident: Some(IncidentId(3)),
        attempt,
        kind: ActionKind::Start,
        expected: None,
    };
    vec![
        (
            of(ReportKind::ActionHeld {
                hold: Hold::Backoff,
                remaining: Some(Duration::from_millis(12_345)),
            }),
            r#"event=held incident=3 reason="the next attempt is not due yet" reason_kind=backoff remaining=12.345"#,
        ),
        (
            of(ReportKind::ActionStarted {
                action: action(2),
                again: false,
            }),
            "event=restart incident=3 attempt=2 action_kind=start by=agent action=7",
        ),
        (
            of(ReportKind::ActionStarted {
                action: action(0),
                again: false,
            }),
            "event=restart incident=3 action_kind=start by=operator action=7",
        ),
        (
            of(ReportKind::ActionEnded {
                action: ActionId(7),
                result: ActionResult::Done,
            }),
            "event=restart_ended incident=3 result=done action=7",
        ),
        (
            of(ReportKind::ActionEnded {
                action: ActionId(7),
                result: ActionResult::Refused("access denied".to_owned()),
            }),
            r#"event=restart_ended incident=3 result=refused reason="refused: access denied" action=7 level=warn"#,
        ),
        (
            of(ReportKind::ActionVerified {
                action: ActionId(7),
                starts_slowly: None,
            }),
            "event=verified incident=3 action=7",
        ),
        (
            of(ReportKind::ActionUnverified {
                action: ActionId(7),
                reason: "died again".to_owned(),
            }),
            r#"event=not_verified incident=3 reason="died again" action=7 level=warn"#,
        ),
        (
            of(ReportKind::ActionUnproven {
                action: ActionId(7),
                reason: "never asked well".to_owned(),
            }),
            r#"event=unproven incident=3 reason="never asked well" action=7"#,
        ),
    ]
}

#[test]
fn the_documented_lines_are_exact() {
    assert_eq!(
        logfmt(|| info!(event = "started", "Sentinel monitor started")),
        "event=started msg=\"Sentinel monitor started\"\n"
    );
    assert_eq!(
        logfmt(|| report(&went_down(refused(), None), None)),
        "service=demo-service status=down status_code=na event=unreachable cause=\"connection refused\" level=warn\n"
    );
    assert_eq!(
        logfmt(|| report(&healthy(), None)),
        "service=demo-service status=up status_code=200 recoveries_total=1 event=healthy\n"
    );
    assert_eq!(
        logfmt(|| report(&went_down(killed(), None), Some(Runner::Docker))),
        "service=demo-service status=down status_code=na event=died cause=\"killed by signal KILL\" level=warn\n"
    );
    assert_eq!(
        logfmt(|| report(&healthy_again(), Some(Runner::Docker))),
        "service=demo-service status=up status_code=200 recoveries_total=2 event=healthy by=docker\n"
    );
    assert_eq!(
        logfmt(|| report(&healthy_again(), Some(Runner::Systemd("shop.service")))),
        "service=demo-service status=up status_code=200 recoveries_total=2 event=healthy by=systemd\n"
    );
}

#[test]
fn emoji_rewrites_three_kinds_and_no_other() {
    let status = Cause::Probe(ProbeFailure {
        phase: ProbePhase::Status,
        kind: FailureKind::Status(503),
        detail: "status 500".to_owned(),
    });
    let lines = emoji(|| {
        info!(event = "started", "Sentinel monitor started");
        report(&went_down(refused(), None), None);
        report(&went_down(status, Some(500)), None);
        report(&healthy(), None);
        info!(event = "reloaded", services = 3_u64);
    });
    assert_eq!(
        lines,
        "🔎 Sentinel monitor started\n\
         ❌ demo-service unreachable: connection refused\n\
         ❌ demo-service unhealthy: status 500\n\
         ✅ demo-service is healthy\n\
         event=reloaded services=3\n"
    );
}

#[test]
fn every_kind_of_report_has_its_line_and_its_message_id() {
    for (report, expected) in every_kind() {
        assert_eq!(
            logfmt(|| sentinel_driver::report::report(&report, None)),
            format!("service=demo-service {expected}\n")
        );
        assert!(message_id(report.kind.name(), None).is_some(), "{}", report.kind.name());
    }
}

#[test]
fn json_holds_the_same_fields_in_the_same_order() {
    let line = written(LineStyle::Json, || report(&went_down(refused(), Some(503)), None));
    let (head, tail) = line.split_at("{\"timestamp\":\"2026-01-01T00:00:00.000000Z\"".len());
    assert!(head.starts_with("{\"timestamp\":\"") && head.ends_with("Z\""), "{head}");
    assert_eq!(
        tail,
        ",\"level\":\"warn\",\"service\":\"demo-service\",\"status\":\"down\",\"status_code\":503,\
         \"event\":\"unreachable\",\"cause\":\"connection refused\"}\n"
    );
}

#[test]
fn whatever_a_service_answers_stays_one_line() {
    let evil = "a\nevent=healthy\r\n\"\u{1b}[2J\\\u{202e}\u{fffd}\0";
    let log = || warn!(event = "probe", detail = evil, "{evil}");
    let escaped = r#""a\nevent=healthy\r\n\"\u001b[2J\\\u202e\ufffd\u0000""#;
    assert_eq!(
        logfmt(log),
        format!("event=probe detail={escaped} msg={escaped} level=warn\n")
    );

    let json = written(LineStyle::Json, log);
    assert_eq!(json.lines().count(), 1);
    let object: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(object["detail"], evil);
    assert_eq!(object["msg"], evil);
}

#[test]
fn values_are_quoted_only_when_a_reader_needs_it() {
    assert_eq!(
        logfmt(|| info!(
            a = "plain-1.2/x:y",
            b = "",
            c = "k=v",
            d = "ü",
            e = 1.5,
            f = true,
            g = f64::NAN
        )),
        "a=plain-1.2/x:y b=\"\" c=\"k=v\" d=ü e=1.5 f=true g=NaN\n"
    );
}

#[test]
fn a_long_value_is_cut_and_says_so() {
    let long = "é".repeat(VALUE_MAX);
    let line = logfmt(|| info!(event = "x", long));
    let value = line.trim_end().strip_prefix("event=x long=").unwrap();
    assert!(
        value.len() <= VALUE_MAX && value.len() > VALUE_MAX - 4,
        "{}",
        value.len()
    );
    assert!(value.ends_with("é…"));
}

#[test]
fn a_line_is_bounded_however_much_is_said() {
    // Each of these fits by itself, and is six times as long once escaped.
    let nasty = "\u{7}".repeat(VALUE_MAX - 3);
    let log = || {
        error!(
            event = "x",
            a = nasty,
            b = nasty,
            c = nasty,
            d = nasty,
            e = nasty,
            f = nasty,
            g = nasty,
            h = nasty
        );
    };
    for style in [LineStyle::Logfmt { emoji: false }, LineStyle::Json] {
        let line = written(style, log);
        assert!(line.len() <= 8 * 1024, "{}", line.len());
        assert!(line.contains("truncated"), "{line}");
        assert!(line.contains("error"), "{line}");
    }
}

#[test]
fn errors_are_reported_with_their_causes() {
    let source = io::Error::other("disk full");
    let error = super::TelemetryError::Thread(source);
    assert_eq!(
        logfmt(|| warn!(event = "x", error = &error as &(dyn std::error::Error + 'static))),
        "event=x error=\"failed to start the thread that writes the log: disk full\" level=warn\n"
    );
}

#[test]
fn libraries_are_named() {
    assert_eq!(
        logfmt(|| warn!(target: "zbus::connection", "odd message")),
        "msg=\"odd message\" target=zbus::connection level=warn\n"
    );
}

/// A reader that takes one write at a time, when it is let.
struct Slow {
    started: SyncSender<()>,
    let_go: Receiver<()>,
    to: Shared,
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.started.send(());
        let _ = self.let_go.recv();
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_hung_reader_delays_nothing_and_the_loss_is_reported() {
    let (started, has_started) = sync_channel(4096);
    let (go, let_go) = sync_channel(1);
    let to = Shared::default();
    let slow = Slow {
        started,
        let_go,
        to: to.clone(),
    };
    let style = LineStyle::Logfmt { emoji: false };
    let sink = Sink::start(Output::Lines {
        style,
        to: Box::new(slow),
    })
    .unwrap();
    with_default(Registry::default().with(RecordLayer::new(sink.clone())), || {
        info!(number = 0_u64);
        // From here on the thread is stuck in a write.
        has_started.recv_timeout(PATIENCE).unwrap();
        for number in 1..=2000_u64 {
            info!(number);
        }
    });
    assert!(
        !sink.flush(Duration::from_millis(10)),
        "nothing can have been written yet"
    );
    drop(go);
    assert!(sink.flush(PATIENCE));

    let text = String::from_utf8(to.0.lock().unwrap().clone()).unwrap();
    let kept = text.lines().filter(|line| line.starts_with("number=")).count();
    let reported: usize = text
        .lines()
        .filter_map(|line| line.strip_prefix("event=log_lines_lost lines="))
        .map(|rest| rest.split(' ').next().unwrap().parse::<usize>().unwrap())
        .sum();
    assert!(reported > 0, "the queue is bounded");
    assert_eq!(kept + reported, 2001);
}

#[test]
fn the_unit_is_for_the_journal_and_in_no_line() {
    let shared = Shared::default();
    let to = Box::new(shared.clone());
    let style = LineStyle::Logfmt { emoji: false };
    let sink = Sink::start(Output::Lines { style, to }).unwrap();
    with_default(Registry::default().with(RecordLayer::new(sink.clone())), || {
        report(&healthy(), Some(Runner::Systemd("shop.service")));
    });
    assert!(sink.flush(PATIENCE));
    let line = String::from_utf8(shared.0.lock().unwrap().clone()).unwrap();
    assert!(!line.contains("shop.service"), "{line}");
}

#[test]
fn lines_of_every_crate_of_the_agent_are_the_agents_own() {
    let default = Targets::new().with_targets(DEFAULT_FILTER);
    for target in ["sentinel", "sentinel::app", "sentinel_docker", "sentinel_notify::email"] {
        assert!(lines::is_ours(target), "{target}");
        assert!(default.would_enable(target, &Level::INFO), "{target}");
    }
    for target in ["sentinels", "zbus::sentinel", ""] {
        assert!(!lines::is_ours(target), "{target}");
    }
    assert!(!default.would_enable("zbus::connection", &Level::INFO));
}
