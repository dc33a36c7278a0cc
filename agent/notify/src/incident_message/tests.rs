use sentinel_engine::{Failing, FailureKind, IncidentId, Labels, ProbeFailure, Severity, Starter};

use super::super::message::{PAYLOAD_MAX, TIMELINE_MAX};
use super::super::timeline::EvidenceKind;
use super::*;

fn notification(kind: NotificationKind) -> Notification {
    Notification {
        incident: IncidentId(7),
        sequence: 2,
        service: "shop".into(),
        labels: Labels::default(),
        kind,
        severity: Severity::Warning,
        at: Time::from_epoch(Duration::from_secs(100)),
        opened_at: Time::from_epoch(Duration::from_secs(60)),
        cause: Cause::Killed {
            signal: 9,
            core_dumped: false,
        },
        attempts: 1,
        doing: "restart, attempt 1".to_owned(),
        failing: None,
    }
}

fn wall(at: Time) -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap() + at.since_epoch()
}

#[test]
fn summaries_say_it_in_one_line() {
    let over = |resolution| (resolution, Duration::from_millis(3200));
    let outage = Outage {
        down: Some(Duration::from_millis(200)),
        proved: Some(Duration::from_millis(3200)),
        started_by: Starter::SameRun,
    };
    let healed = |(resolution, duration)| NotificationKind::Healed {
        resolution,
        duration,
        outage,
    };
    let resolved = |(resolution, duration)| NotificationKind::Resolved {
        resolution,
        duration,
        outage,
    };
    let gave_up = |restarts, window| NotificationKind::GaveUp {
        restarts,
        window: Duration::from_secs(window),
    };
    #[rustfmt::skip]
    let table = [
        (NotificationKind::Fired, "web1: shop is down: killed by signal KILL"),
        (gave_up(5, 1800), "web1: shop is down, gave up after 5 restarts in 30m: killed by signal KILL. Manual action needed"),
        (gave_up(1, 60), "web1: shop is down, gave up after 1 restart in 1m: killed by signal KILL. Manual action needed"),
        // As an earlier version noted it.
        (gave_up(0, 0), "web1: shop is down, gave up after 1 restart: killed by signal KILL. Manual action needed"),
        (NotificationKind::Update { news: News::StillDown, duration: Duration::from_secs(14_400) }, "web1: shop is still down after 4h: killed by signal KILL"),
        (NotificationKind::Update { news: News::Acknowledged, duration: Duration::from_secs(61) }, "web1: shop is acknowledged, down for 1m1s: killed by signal KILL"),
        (NotificationKind::Escalated { duration: Duration::from_secs(900) }, "web1: shop has been down for 15m and is not acknowledged: killed by signal KILL"),
        (healed(over(Resolution::Healed)), "web1: shop is healthy again, the agent's restart helped, down 0.2s, proved after 3.2s: killed by signal KILL"),
        (resolved(over(Resolution::Recovered)), "web1: shop recovered by itself, down 0.2s, proved after 3.2s; the agent's restart is not known to have helped: killed by signal KILL"),
        (resolved(over(Resolution::Started)), "web1: shop was started by an operator and is healthy again, down 0.2s, proved after 3.2s; the agent's restart had not helped: killed by signal KILL"),
        (NotificationKind::Flapping { incidents: 6, within: Duration::from_secs(700) }, "web1: shop is flapping, it went down 6 times within 11m40s: killed by signal KILL"),
        (NotificationKind::FlappingEnded { incidents: 9, duration: Duration::from_secs(3600) }, "web1: shop is no longer flapping, it went down 9 times in 1h"),
        (resolved(over(Resolution::Stopped)), "web1: shop was stopped on purpose after 3.2s of trouble: killed by signal KILL"),
        (resolved(over(Resolution::Unmanaged)), "web1: shop is no longer watched, after 3.2s of trouble: killed by signal KILL"),
    ];
    for (kind, expected) in table {
        let message = Message::new(&notification(kind), &IncidentTimeline::default(), "web1", wall);
        assert_eq!(message.data.summary, expected);
    }
}

#[test]
fn outages_of_the_whole_host_read_like_one() {
    let reported = |kind| {
        let mut notification = notification(kind);
        notification.cause = Cause::HostWide {
            services: 7,
            names: ["api", "cart"].map(Into::into).to_vec(),
            likely: "the host is out of memory".to_owned(),
        };
        let message = Message::new(&notification, &IncidentTimeline::default(), "web1", wall);
        message.data.summary
    };
    assert_eq!(
        reported(NotificationKind::Fired),
        "web1: host-wide outage: 7 services went down at once (api, cart and 5 more): the host is out of memory"
    );
    let over = NotificationKind::Resolved {
        resolution: Resolution::Recovered,
        duration: Duration::from_secs(140),
        outage: Outage::default(),
    };
    assert_eq!(
        reported(over),
        "web1: the host-wide outage is over after 2m20s: 7 services went down at once (api, cart and 5 more): the host is out of memory"
    );
}

#[test]
fn what_is_not_restarted_says_since_when_and_what_was_before() {
    let mut fired = notification(NotificationKind::Fired);
    fired.cause = Cause::Probe(ProbeFailure::new(FailureKind::Status(404), "status 404"));
    fired.doing = "not restarted: status-4xx is not in restart_on".to_owned();
    fired.failing = Some(Failing {
        now: "404".to_owned(),
        since: Time::from_epoch(Duration::from_secs(60)),
        before: Some("200".to_owned()),
    });
    let message = Message::new(&fired, &IncidentTimeline::default(), "web1", wall);
    let now = |message: &Message, zone| Text::of(message, zone).facts.first().cloned();
    let zone = TimeZone::fixed(jiff::tz::offset(1));
    let expected = "404 since 23:14, before that 200; not restarted: status-4xx is not in restart_on";
    assert_eq!(now(&message, &zone), Some(("Now", expected.to_owned())));
}

#[test]
fn a_question_that_never_passed_is_put_back_to_whoever_asked_it() {
    let reported = |kind| {
        let mut notification = notification(kind);
        let detail = "status 301 to https://shop.example/".to_owned();
        notification.cause = Cause::NeverPassed { detail };
        let message = Message::new(&notification, &IncidentTimeline::default(), "web1", wall);
        message.data.summary
    };
    assert_eq!(
        reported(NotificationKind::Fired),
        "web1: shop: this probe has never passed since it was configured: status 301 to https://shop.example/; is \
         the probe configured correctly?"
    );
    let over = NotificationKind::Resolved {
        resolution: Resolution::Recovered,
        duration: Duration::from_secs(140),
        outage: Outage::default(),
    };
    assert_eq!(
        reported(over),
        "web1: shop passed its probes for the first time, after 2m20s"
    );
}

#[test]
fn a_probe_is_evidence_when_the_sentence_does_not_say_all_of_it() {
    let reported = |kind, detail: &str| {
        let mut notification = notification(NotificationKind::Fired);
        notification.cause = Cause::Probe(ProbeFailure::new(kind, detail));
        let message = Message::new(&notification, &IncidentTimeline::default(), "web1", wall);
        message.data.evidence
    };
    assert_eq!(reported(FailureKind::Status(503), "status 503"), []);
    let refused = Evidence::new("last probe", "connect: connection refused");
    assert_eq!(reported(FailureKind::Refused, "connection refused"), [refused]);
}

#[test]
fn the_payload_is_what_is_documented() {
    let kind = NotificationKind::Resolved {
        resolution: Resolution::Healed,
        duration: Duration::from_millis(40_500),
        outage: Outage {
            down: Some(Duration::from_millis(20_250)),
            proved: Some(Duration::from_millis(40_504)),
            started_by: Starter::Agent,
        },
    };
    let story = IncidentTimeline {
        lines: vec![(
            Time::from_epoch(Duration::from_secs(60)),
            "killed by signal KILL".to_owned(),
        )],
        omitted: 0,
        evidence: BTreeMap::from([
            (
                EvidenceKind::Host,
                Evidence::last_lines("the host at that time", "load: 9.5 with 2 CPUs"),
            ),
            (
                EvidenceKind::Log,
                Evidence::last_lines("its last log lines", "up\nout of ideas"),
            ),
        ]),
        last_day: Some(3),
    };
    let notification = Notification {
        labels: BTreeMap::from([("team".to_owned(), "shop".to_owned())]).into(),
        ..notification(kind)
    };
    let message = Message::new(&notification, &story, "web1", wall);
    let expected = serde_json::json!({
        "type": "incident.resolved",
        "timestamp": "2023-11-14T22:15:00Z",
        "data": {
            "host": "web1", "service": "shop", "incident": 7, "sequence": 2,
            "kind": "resolved", "severity": "warning",
            "summary": "web1: shop is healthy again, the agent's restart helped, down 20s, proved after 41s: killed by signal KILL",
            "cause": {"kind": "killed", "text": "killed by signal KILL"},
            "opened_at": "2023-11-14T22:14:20Z",
            "attempts": 1, "doing": "restart, attempt 1",
            "resolution": "healed", "duration_seconds": 40.5, "down_seconds": 20.25,
            "proved_after_seconds": 40.504, "started_by": "agent",
            "labels": {"team": "shop"},
            "timeline": [{"at": "2023-11-14T22:14:20Z", "text": "killed by signal KILL"}],
            "evidence": [
                {"title": "its last log lines", "text": "up\nout of ideas"},
                {"title": "the host at that time", "text": "load: 9.5 with 2 CPUs"},
            ],
            "incidents_last_day": 3,
        },
    });
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&message.payload()).unwrap(),
        expected
    );
    assert_eq!(serde_json::from_slice::<Message>(&message.payload()).unwrap(), message);
}

#[test]
fn payloads_stay_small_whatever_a_service_says() {
    for filler in ["\"", "\\", "\u{1}", "é", "🔎", "\n", "a"] {
        let long = filler.repeat(100_000);
        let mut notification = notification(NotificationKind::GaveUp {
            restarts: u32::MAX,
            window: Duration::MAX,
        });
        notification.service = long.as_str().into();
        notification.doing.clone_from(&long);
        notification.cause = Cause::Probe(ProbeFailure::new(FailureKind::Body, long.clone()));
        let labels: BTreeMap<_, _> = (0..1000).map(|n| (format!("{n}{long}"), long.clone())).collect();
        notification.labels = labels.into();
        let story = IncidentTimeline {
            lines: vec![(Time::ZERO, long.clone()); TIMELINE_MAX],
            omitted: 5,
            evidence: [
                EvidenceKind::Log,
                EvidenceKind::Accept,
                EvidenceKind::Packages,
                EvidenceKind::Host,
            ]
            .map(|kind| (kind, Evidence::last_lines(&long, &long)))
            .into(),
            last_day: Some(u32::MAX),
        };
        let payload = Message::new(&notification, &story, &long, wall).payload();
        assert!(payload.len() < PAYLOAD_MAX, "{} bytes of {filler:?}", payload.len());
        serde_json::from_slice::<Message>(&payload).unwrap();
    }
}
