//! Tables: what waits, how the receiver has answered, and what is done about it.

use std::time::Duration;

use super::*;
use crate::ids::IncidentId;
use crate::policy::Severity;
use crate::time::Time;

const HOUR: u64 = 3600;

/// Far from the epoch, so that everything can be old.
fn at(seconds: u64) -> Time {
    Time::from_epoch(Duration::from_secs(100 * 24 * HOUR + seconds))
}

/// A message of `incident` that waits since `at(0)`; its number is its place.
fn row(id: i64, incident: u64, sequence: u32, kind: MessageKind) -> Row {
    Row {
        id,
        place: id,
        incident: IncidentId(incident),
        sequence,
        kind,
        severity: match kind {
            MessageKind::GaveUp => Severity::Critical,
            MessageKind::Healed | MessageKind::Resolved => Severity::Info,
            _ => Severity::Warning,
        },
        created: at(0),
        not_before: Time::ZERO,
        attempts: 0,
        ambiguous: false,
        patient: false,
        standing: Standing::Pending,
        earlier: Earlier::Nothing,
        overtaken: false,
        together: false,
    }
}

fn fired(id: i64, incident: u64) -> Row {
    row(id, incident, 1, MessageKind::Fired)
}

fn gave_up(id: i64, incident: u64) -> Row {
    row(id, incident, 2, MessageKind::GaveUp)
}

fn healed(id: i64, incident: u64) -> Row {
    row(id, incident, 1, MessageKind::Healed)
}

fn resolved(id: i64, incident: u64) -> Row {
    row(id, incident, 3, MessageKind::Resolved)
}

impl Row {
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// It waits for company until `until`.
    fn patient(self, until: u64) -> Self {
        self.with(|row| {
            row.patient = true;
            row.not_before = at(until);
        })
    }

    /// It is the end of what began in a message about several, and was reported.
    fn together(self) -> Self {
        self.earlier(Earlier::Delivered).with(|row| row.together = true)
    }

    /// It failed, certainly, and is tried again at `until`.
    fn tried(self, until: u64) -> Self {
        self.with(|row| {
            row.attempts = 1;
            row.not_before = at(until);
        })
    }

    fn tried_often(self, attempts: u32) -> Self {
        self.with(|row| row.attempts = attempts)
    }

    fn ambiguous(self) -> Self {
        self.with(|row| row.ambiguous = true)
    }

    fn earlier(self, earlier: Earlier) -> Self {
        self.with(|row| row.earlier = earlier)
    }
}

fn well() -> Health {
    Health::default()
}

/// The breaker is open since `at(0)`, and the next try is at `until`.
fn broken(until: u64) -> Health {
    Health {
        failures: 7,
        failing_since: Some(at(0)),
        rest_until: at(until),
        ..Health::default()
    }
}

fn recovering() -> Health {
    Health {
        recovering: true,
        ..Health::default()
    }
}

fn send(row: i64, why: Why) -> Plan {
    Plan::Send { row, why }
}

fn wait(until: u64, why: Waiting) -> Plan {
    Plan::Wait { until: at(until), why }
}

fn check(table: Vec<(&str, Vec<Row>, Health, u64, Plan)>) {
    for (what, rows, health, now, expected) in table {
        let found = plan(&rows, &health, false, at(now), &DispatchPolicy::default());
        assert_eq!(found, expected, "{what}");
    }
}

#[test]
fn messages_go_in_the_order_of_their_incident_and_do_not_wait_for_others() {
    check(vec![
        ("nothing waits", vec![], well(), 0, Plan::Idle),
        (
            "the oldest first",
            vec![fired(1, 7), fired(2, 8)],
            well(),
            0,
            send(1, Why::Due),
        ),
        (
            "one that waits for its retry holds up its own incident only",
            vec![fired(1, 7).tried(9), gave_up(2, 7), fired(3, 8)],
            well(),
            0,
            send(3, Why::Due),
        ),
        (
            "and nothing more is sent of its own",
            vec![fired(1, 7).tried(9), gave_up(2, 7)],
            well(),
            0,
            wait(9, Waiting::Retry),
        ),
        (
            "when its time has come it is tried again",
            vec![fired(1, 7).tried(9)],
            well(),
            9,
            send(1, Why::Due),
        ),
        (
            "order is by sequence, not by the row",
            vec![gave_up(1, 7), fired(2, 7)],
            well(),
            0,
            send(2, Why::Due),
        ),
        (
            "what needs a human now goes first, with what must go before it",
            vec![fired(1, 7), fired(2, 8), gave_up(3, 8)],
            well(),
            0,
            send(2, Why::Due),
        ),
        (
            "what was being sent by somebody who is gone has failed",
            vec![
                fired(1, 7),
                fired(2, 8).with(|row| row.standing = Standing::Interrupted),
            ],
            well(),
            0,
            Plan::CutOff { row: 2 },
        ),
        (
            "what goes on behind a group waits for the group",
            vec![
                fired(1, 7).with(|row| row.standing = Standing::Merged),
                gave_up(2, 7),
                row(3, 0, 3, MessageKind::Group).tried(9),
            ],
            well(),
            0,
            wait(9, Waiting::Retry),
        ),
        (
            "an older message is not sent after a newer one",
            vec![fired(1, 7).with(|row| row.overtaken = true)],
            well(),
            0,
            Plan::Supersede {
                rows: vec![1],
                stale: Stale::Overtaken,
            },
        ),
        (
            "newer news replaces older",
            vec![
                fired(1, 7).tried(9),
                row(2, 7, 2, MessageKind::Update),
                row(3, 7, 3, MessageKind::Update),
            ],
            well(),
            0,
            Plan::Supersede {
                rows: vec![2],
                stale: Stale::Newer,
            },
        ),
    ]);
}

#[test]
fn what_began_together_ends_together() {
    check(vec![
        (
            "what began with others waits for their ends",
            vec![resolved(1, 7).together(), resolved(2, 8).together()],
            well(),
            9,
            wait(10, Waiting::Company),
        ),
        (
            "and ends with them",
            vec![
                resolved(1, 7).together(),
                resolved(2, 8).together().with(|row| row.created = at(9)),
                resolved(3, 9)
                    .earlier(Earlier::Delivered)
                    .with(|row| row.not_before = at(99)),
            ],
            well(),
            10,
            Plan::SendGroup {
                rows: vec![1, 2],
                severity: Severity::Info,
            },
        ),
        (
            "or alone, when no other ends",
            vec![resolved(1, 7).together()],
            well(),
            10,
            send(1, Why::Due),
        ),
        (
            "what began by itself ends by itself, at once",
            vec![
                resolved(1, 7).earlier(Earlier::Delivered),
                resolved(2, 8).earlier(Earlier::Delivered),
            ],
            well(),
            0,
            send(1, Why::Due),
        ),
    ]);
}

#[test]
fn beginnings_wait_for_company_but_not_for_ever_and_never_where_manual_action_is_needed() {
    let group = |rows: Vec<i64>, severity| Plan::SendGroup { rows, severity };
    check(vec![
        (
            "one that may wait, waits",
            vec![fired(1, 7).patient(10)],
            well(),
            0,
            wait(10, Waiting::Company),
        ),
        (
            "alone it goes alone",
            vec![fired(1, 7).patient(10)],
            well(),
            10,
            send(1, Why::Due),
        ),
        (
            "when the first has waited, all go",
            vec![fired(1, 7).patient(10), fired(2, 8).patient(14)],
            well(),
            10,
            group(vec![1, 2], Severity::Warning),
        ),
        (
            "the group is as urgent as its most urgent",
            vec![
                fired(1, 7).patient(10),
                fired(2, 8).patient(14).with(|row| row.severity = Severity::Critical),
            ],
            well(),
            10,
            group(vec![1, 2], Severity::Critical),
        ),
        (
            "those without leave to wait go one by one",
            vec![fired(1, 7), fired(2, 8)],
            well(),
            0,
            send(1, Why::Due),
        ),
        (
            "a call for a human takes its beginning with it, and no company",
            vec![fired(1, 7).patient(10), gave_up(2, 7), fired(3, 8).patient(10)],
            well(),
            0,
            send(1, Why::Due),
        ),
        (
            "what may have arrived already is not told again in a group",
            vec![fired(1, 7).patient(10).ambiguous(), fired(2, 8).patient(10)],
            well(),
            10,
            send(1, Why::Due),
        ),
        (
            "one that failed joins when its time has come",
            vec![
                fired(1, 7).patient(10).tried(30),
                fired(2, 8).patient(10),
                fired(3, 9).patient(12),
            ],
            well(),
            10,
            group(vec![2, 3], Severity::Warning),
        ),
        (
            "after an outage everything that began and is not over goes together",
            vec![fired(1, 7), fired(2, 8), fired(3, 9)],
            recovering(),
            0,
            group(vec![1, 2, 3], Severity::Warning),
        ),
    ]);
    let many: Vec<Row> = (1..=300).map(|id| fired(id, id.unsigned_abs()).patient(0)).collect();
    let Plan::SendGroup { rows, .. } = plan(&many, &well(), false, at(0), &DispatchPolicy::default()) else {
        panic!("a group")
    };
    assert_eq!(rows.len(), 200, "a group is bounded");
}

#[test]
fn an_escalation_begins_the_thread_of_whom_it_calls() {
    assert_eq!(MessageKind::from_word("escalated"), MessageKind::Fired);
}

#[test]
fn what_is_over_before_it_was_delivered_is_one_message() {
    let collapse = |rows: Vec<i64>, ending| Plan::Collapse { rows, ending };
    check(vec![
        (
            "never tried",
            vec![fired(1, 7), resolved(2, 7)],
            well(),
            0,
            collapse(vec![1], 2),
        ),
        (
            "certainly failed",
            vec![fired(1, 7).tried(9), resolved(2, 7)],
            well(),
            0,
            collapse(vec![1], 2),
        ),
        (
            "also what was said in between",
            vec![fired(1, 7), gave_up(2, 7), resolved(3, 7)],
            well(),
            0,
            collapse(vec![1, 2], 3),
        ),
        (
            "somebody was called, and never heard it",
            vec![gave_up(1, 7), resolved(2, 7)],
            well(),
            0,
            collapse(vec![1], 2),
        ),
        (
            "may have arrived: both are sent",
            vec![fired(1, 7).ambiguous(), resolved(2, 7)],
            well(),
            0,
            send(1, Why::Due),
        ),
        (
            "part of a group: its end is sent by itself",
            vec![
                fired(1, 7).with(|row| row.standing = Standing::Merged),
                resolved(2, 7),
                row(3, 0, 3, MessageKind::Group),
            ],
            well(),
            0,
            send(3, Why::Due),
        ),
        (
            "told before: its end is sent",
            vec![resolved(2, 7).earlier(Earlier::Delivered)],
            well(),
            0,
            send(2, Why::Due),
        ),
        (
            "even while the receiver is down",
            vec![fired(1, 7), resolved(2, 7)],
            broken(9),
            0,
            collapse(vec![1], 2),
        ),
    ]);
    let short = DispatchPolicy {
        least: Duration::from_secs(30),
        ..DispatchPolicy::default()
    };
    let rows = [fired(1, 7), resolved(2, 7).with(|row| row.created = at(29))];
    let nothing = Plan::Supersede {
        rows: vec![1, 2],
        stale: Stale::Short,
    };
    assert_eq!(
        plan(&rows, &well(), false, at(29), &short),
        nothing,
        "too short to be told"
    );
    let rows = [fired(1, 7), resolved(2, 7).with(|row| row.created = at(30))];
    assert_eq!(
        plan(&rows, &well(), false, at(30), &short),
        collapse(vec![1], 2),
        "long enough"
    );
}

#[test]
fn old_news_is_given_up() {
    let expire = |rows: Vec<i64>| Plan::Expire { rows };
    let day = 24 * HOUR;
    check(vec![
        (
            "a day is long enough",
            vec![fired(1, 7)],
            well(),
            day,
            send(1, Why::Due),
        ),
        ("and no more", vec![fired(1, 7)], well(), day + 1, expire(vec![1])),
        (
            "an update is old after an hour",
            vec![row(1, 7, 2, MessageKind::Update)],
            well(),
            HOUR + 1,
            expire(vec![1]),
        ),
        (
            "the end of what was told is news for a week",
            vec![resolved(1, 7).earlier(Earlier::Delivered)],
            well(),
            7 * day,
            send(1, Why::Due),
        ),
        (
            "and no longer",
            vec![resolved(1, 7).earlier(Earlier::Delivered)],
            well(),
            7 * day + 1,
            expire(vec![1]),
        ),
        (
            "an end whose beginning was never heard is given up with it",
            vec![resolved(1, 7).earlier(Earlier::Lost)],
            well(),
            1,
            expire(vec![1]),
        ),
        (
            "a call for a human stands for itself",
            vec![gave_up(1, 7).earlier(Earlier::Lost)],
            well(),
            1,
            send(1, Why::Due),
        ),
        (
            "an end is sent when nothing is known of what was before",
            vec![resolved(1, 7)],
            well(),
            1,
            send(1, Why::Due),
        ),
        (
            "what is part of another message is given up with that",
            vec![
                fired(1, 7).with(|row| row.standing = Standing::Merged),
                row(2, 0, 2, MessageKind::Group),
            ],
            well(),
            day + 1,
            expire(vec![2]),
        ),
    ]);
}

#[test]
fn a_receiver_that_fails_is_tried_with_the_oldest_message_only() {
    let asked = Health {
        asked_until: at(1800),
        ..Health::default()
    };
    check(vec![
        (
            "it asked for time",
            vec![fired(1, 7)],
            asked.clone(),
            0,
            wait(1800, Waiting::Asked),
        ),
        ("which is over", vec![fired(1, 7)], asked, 1800, send(1, Why::Due)),
        (
            "the breaker is open",
            vec![fired(1, 7), fired(2, 8)],
            broken(60),
            0,
            wait(60, Waiting::Probe),
        ),
        (
            "one try, with the oldest, whatever its own time",
            vec![fired(1, 7).tried(500), fired(2, 8), gave_up(3, 8)],
            broken(60),
            60,
            send(1, Why::Probe),
        ),
        (
            "and now and then with another, as it may be that one which cannot be taken",
            vec![
                fired(1, 7).tried(500),
                fired(2, 8).tried(500).tried_often(6),
                fired(3, 9),
            ],
            Health {
                failures: 12,
                ..broken(60)
            },
            60,
            send(3, Why::Probe),
        ),
        (
            "when there is one",
            vec![fired(1, 7).tried(500), gave_up(3, 7)],
            Health {
                failures: 12,
                ..broken(60)
            },
            60,
            send(1, Why::Probe),
        ),
        (
            "after it, one at a time",
            vec![fired(1, 7)],
            Health {
                recovering: true,
                rest_until: at(1),
                ..Health::default()
            },
            0,
            wait(1, Waiting::Pace),
        ),
        ("nothing waits for it", vec![], broken(60), 0, Plan::Idle),
    ]);
}

#[test]
fn a_digest_reports_of_what_was_given_up_and_of_what_is_over() {
    let policy = DispatchPolicy::default();
    let digest = |rows: Vec<i64>| Plan::SendDigest { rows };
    let recent = Health {
        digested_at: Some(at(0)),
        ..Health::default()
    };
    let undelivered = [
        ("what was given up is told", vec![], well(), 0, digest(vec![])),
        (
            "but not all the time",
            vec![],
            recent.clone(),
            1,
            wait(600, Waiting::Digest),
        ),
        ("then it is", vec![], recent, 600, digest(vec![])),
        (
            "not while messages fail",
            vec![fired(1, 7)],
            Health {
                failures: 1,
                ..Health::default()
            },
            0,
            send(1, Why::Due),
        ),
        (
            "an open breaker is tried with something else",
            vec![fired(1, 7)],
            broken(0),
            0,
            send(1, Why::Probe),
        ),
        (
            "or with the digest when there is nothing else",
            vec![],
            broken(0),
            0,
            digest(vec![]),
        ),
        (
            "together with what is over",
            vec![healed(1, 7), fired(2, 8)],
            recovering(),
            0,
            digest(vec![1]),
        ),
    ];
    for (what, rows, health, now, expected) in undelivered {
        assert_eq!(plan(&rows, &health, true, at(now), &policy), expected, "{what}");
    }
    check(vec![
        (
            "after an outage all that is over is one message",
            vec![healed(1, 7), fired(2, 8), healed(3, 9), healed(4, 10).ambiguous()],
            recovering(),
            0,
            digest(vec![1, 3]),
        ),
        (
            "one alone is sent as it is",
            vec![healed(1, 7)],
            recovering(),
            0,
            send(1, Why::Due),
        ),
        (
            "and so are all in quiet times",
            vec![healed(1, 7), healed(2, 8)],
            well(),
            0,
            send(1, Why::Due),
        ),
    ]);
}

#[test]
fn the_breaker_opens_closes_and_reports() {
    let policy = DispatchPolicy::default();
    let mut health = Health::default();
    let mut now = at(0);
    let mut rests = Vec::new();
    for n in 1..=12 {
        let news = health.failed(&policy, now, None);
        assert_eq!(news.opened, n == 5, "failure {n}");
        rests.push(health.rest_until.since(now));
        now = health.rest_until;
    }
    let millis: Vec<u128> = rests.iter().map(Duration::as_millis).collect();
    let minute = 60_000;
    assert_eq!(
        millis,
        [
            250, 500, 1000, 2000, 16_000, 32_000, minute, minute, minute, minute, minute, minute
        ]
    );
    assert_eq!(health.breaker(&policy, now.back(Duration::from_secs(1))), Breaker::Open);
    assert_eq!(health.breaker(&policy, now), Breaker::HalfOpen);

    let ten_minutes = at(600);
    assert!(
        !health
            .clone()
            .failed(&policy, ten_minutes.back(Duration::from_secs(1)), None)
            .stuck
    );
    assert!(health.failed(&policy, ten_minutes, None).stuck);
    assert!(health.failed(&policy, ten_minutes, None).stuck, "until the others know");
    health.notified_stuck();
    assert!(!health.failed(&policy, at(6000), None).stuck, "once");

    let news = health.succeeded(&policy, at(7000));
    assert!(news.closed && news.works);
    assert_eq!(health.gate(&policy, at(7000)), Some((at(7001), Waiting::Pace)));
    health.notified_works();
    assert_eq!(health.succeeded(&policy, at(7001)), News::default());
    health.drained();
    health.succeeded(&policy, at(7002));
    assert_eq!(health.gate(&policy, at(7002)), None, "nothing is left of the outage");
}

#[test]
fn who_asks_to_be_left_alone_for_long_is_reported_at_once() {
    let policy = DispatchPolicy::default();
    let minutes = |minutes: u64| Some(Duration::from_secs(minutes * 60));
    let mut health = Health::default();
    assert!(!health.failed(&policy, at(0), minutes(5)).stuck, "that may pass");
    assert!(
        health.failed(&policy, at(300), minutes(5)).stuck,
        "but not ten minutes, whatever the number of tries"
    );
    health.notified_stuck();
    assert!(!health.failed(&policy, at(600), minutes(60)).stuck, "once");
    assert!(health.succeeded(&policy, at(4200)).works);
    assert!(Health::default().failed(&policy, at(0), minutes(60)).stuck);
    assert!(!Health::default().failed(&policy, at(0), None).stuck);
}

#[test]
fn refusals_for_good_are_reported_at_once_and_at_most_hourly() {
    let policy = DispatchPolicy::default();
    let mut health = Health::default();
    assert!(health.refused(&policy, at(0)).refused);
    health.notified_refused(at(0));
    assert!(!health.refused(&policy, at(3599)).refused);
    assert!(health.refused(&policy, at(3600)).refused);
    for _ in 0..2 {
        health.refused(&policy, at(3601));
    }
    assert_eq!(
        health.breaker(&policy, at(3601)),
        Breaker::Open,
        "who refuses everything is not fed the whole queue"
    );
}

#[test]
fn a_wish_to_be_left_alone_is_granted_up_to_an_hour() {
    let policy = DispatchPolicy::default();
    let mut health = Health::default();
    health.failed(&policy, at(0), Some(Duration::from_secs(120)));
    assert_eq!(health.gate(&policy, at(0)), Some((at(120), Waiting::Asked)));
    health.failed(&policy, at(0), Some(Duration::from_secs(30)));
    assert_eq!(
        health.gate(&policy, at(0)),
        Some((at(120), Waiting::Asked)),
        "a later wish shortens nothing"
    );
    health.failed(&policy, at(0), Some(Duration::from_secs(24 * HOUR)));
    assert_eq!(health.gate(&policy, at(0)), Some((at(HOUR), Waiting::Asked)));
}
