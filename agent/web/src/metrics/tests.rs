use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use sentinel_driver::counters::Counters;
use sentinel_engine::{Cause, IncidentId, ProbeOutcome, Report, ReportKind, ServiceName, Time, Verdict};
use sentinel_notify::DeliveryCounts;

use super::exposition::Kind;
use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn service(name: &str, state: State, incident_since: Option<i64>) -> ServiceGauges {
    ServiceGauges {
        name: name.into(),
        state,
        incident_since: incident_since.map(at),
        attempts_left: 5,
    }
}

fn receiver(name: &str) -> ReceiverStatus {
    ReceiverStatus {
        name: name.to_owned(),
        waiting: 2,
        oldest_seconds: Some(1.5),
        breaker: "open".to_owned(),
        failures: 3,
        failing_seconds: None,
        next_seconds: None,
        next_reason: None,
        last_error: None,
        last_error_at: None,
        undelivered: 0,
    }
}

fn snapshot() -> Snapshot {
    let mut counters = Counters::default();
    counters.keep(2, |_| true);
    let outcome = ProbeOutcome {
        verdict: Verdict::Passed,
        status_code: None,
        latency: Duration::from_millis(3),
        answers: Vec::new(),
    };
    counters.probed(&ServiceName::from("shop"), "http", &outcome);
    counters.reported(&Report {
        at: Time::ZERO,
        service: "shop".into(),
        incident: Some(IncidentId(1)),
        kind: ReportKind::IncidentOpened {
            cause: Cause::OomKilled,
        },
    });
    let counts = DeliveryCounts {
        delivered: 7,
        failed: 1,
        rejected: 0,
    };
    Snapshot {
        view: MetricsView {
            services: vec![
                service("db", State::Healthy, None),
                service("shop", State::Backoff, Some(1_700_000_000)),
            ],
            counters,
            deliveries: vec![("team".to_owned(), counts)],
            unobservable: BTreeMap::from([("docker", 1)]),
            store_writable: true,
        },
        receivers: vec![receiver("team")],
        reload: LastReload {
            is_successful: false,
            applied: at(1_600_000_000),
        },
        version: "1.2.3",
        since: at(1_600_000_000),
        process: process::read(),
    }
}

/// The samples of a text: each with its labels, and its value.
fn samples(text: &str) -> BTreeMap<&str, &str> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit_once(' ').unwrap()).collect()
}

#[test]
fn what_is_known_is_shown() {
    let text = render(&snapshot(), Format::Text);
    let samples = samples(&text);
    for (name, expected) in [
        ("sentinel_build_info{version=\"1.2.3\"}", "1"),
        ("sentinel_services", "2"),
        ("sentinel_store_writable", "1"),
        ("sentinel_config_last_reload_successful", "0"),
        ("sentinel_config_last_reload_success_timestamp_seconds", "1600000000"),
        ("sentinel_targets_unobservable{runner=\"docker\"}", "1"),
        ("sentinel_service_up{service=\"db\"}", "1"),
        ("sentinel_service_up{service=\"shop\"}", "0"),
        ("sentinel_service_state{service=\"shop\",state=\"backoff\"}", "1"),
        ("sentinel_service_attempts_left{service=\"db\"}", "5"),
        (
            "sentinel_service_incident_open_timestamp_seconds{service=\"shop\"}",
            "1700000000",
        ),
        ("sentinel_incidents_open", "1"),
        ("sentinel_incidents_total{cause=\"oom_killed\"}", "1"),
        ("sentinel_outbox_messages{receiver=\"team\"}", "2"),
        ("sentinel_outbox_oldest_seconds{receiver=\"team\"}", "1.5"),
        ("sentinel_receiver_failing{receiver=\"team\"}", "1"),
        ("sentinel_deliveries_total{receiver=\"team\",result=\"delivered\"}", "7"),
        (
            "sentinel_probe_duration_seconds_count{service=\"shop\",probe=\"http\",result=\"passed\"}",
            "1",
        ),
        ("process_start_time_seconds", "1600000000"),
    ] {
        assert_eq!(samples.get(name), Some(&expected), "{name} in\n{text}");
    }
    assert!(!samples.contains_key("sentinel_service_incident_open_timestamp_seconds{service=\"db\"}"));
}

#[test]
fn a_service_is_up_down_or_neither() {
    for (state, incident, expected) in [
        (State::Healthy, None, Some(true)),
        // The incident is closed once it has proved itself.
        (State::Healthy, Some(1), Some(true)),
        (State::Suspect, None, Some(true)),
        (State::Starting, None, None),
        (State::Starting, Some(1), Some(false)),
        (State::SupervisorBusy, None, None),
        (State::SupervisorBusy, Some(1), Some(false)),
        (State::Verifying, Some(1), Some(false)),
        (State::GaveUp, Some(1), Some(false)),
        (State::Held, Some(1), Some(false)),
        (State::Unknown, Some(1), None),
        (State::Maintenance, Some(1), None),
        (State::Stopped, None, None),
        (State::Shutdown, None, None),
    ] {
        assert_eq!(
            is_up(&service("shop", state, incident)),
            expected,
            "{state:?} {incident:?}"
        );
    }
}

#[test]
fn every_family_is_written_once_and_whole() {
    for format in [Format::Text, Format::OpenMetrics] {
        let text = render(&snapshot(), format);
        let named: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        let expected: BTreeSet<String> = families::ALL
            .iter()
            .map(|family| {
                let is_short = format == Format::OpenMetrics && family.kind == Kind::Counter;
                let name = if is_short {
                    family.name.strip_suffix("_total").unwrap()
                } else {
                    family.name
                };
                format!("{name} {}", family.kind.as_str())
            })
            .collect();
        assert_eq!(named.len(), expected.len());
        assert_eq!(named.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), expected);
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(samples(&text).len(), lines.len(), "a series is written twice");
        assert_eq!(text.ends_with("\n# EOF\n"), format == Format::OpenMetrics);
    }
}

#[test]
fn names_are_as_prometheus_has_them() {
    for family in families::ALL {
        let name = family.name;
        assert!(name.starts_with("sentinel_") || name.starts_with("process_"), "{name}");
        assert_eq!(name.ends_with("_total"), family.kind == Kind::Counter, "{name}");
        assert!(family.help.ends_with('.') && !family.help.contains('\n'), "{name}");
        if family.kind == Kind::Histogram {
            assert!(name.ends_with("_seconds"), "{name}");
        }
    }
}

/// The rows of the table in `agent/docs/metrics.md`.
fn table() -> String {
    let rows = families::ALL.iter().map(|family| {
        let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind, labels, help) = (family.name, family.kind.as_str(), labels.join(", "), family.help);
        format!("| `{name}` | {kind} | {labels} | {help} |\n")
    });
    "| metric | type | labels | what it says |\n| --- | --- | --- | --- |\n".to_owned() + &rows.collect::<String>()
}

/// `UPDATE_GOLDEN=1` writes the table anew.
#[test]
fn the_documentation_has_every_metric() {
    const BEGIN: &str = "<!-- metrics -->\n";
    const END: &str = "<!-- /metrics -->\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
    } else {
        assert_eq!(written, table(), "UPDATE_GOLDEN=1 writes the table anew");
    }
}
