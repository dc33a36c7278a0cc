//! Whatever an Engine answers, something is made of it: no panic, no bound passed. `make fuzz` tries more of it.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::answers::{EventMessage, Inspected, Listed, Version};
use super::classify::{Verdict, World, classify};
use super::events::Heard;
use super::facts::Facts;
use super::labels;
use super::log::Log;
use super::tracker::Tracker;
use super::{inventory, tail};

/// Words and times that mean something to one field or another.
const WORDS: [&str; 38] = [
    "running",
    "exited",
    "created",
    "paused",
    "dead",
    "restarting",
    "removing",
    "stopped",
    "healthy",
    "unhealthy",
    "starting",
    "always",
    "unless-stopped",
    "on-failure",
    "no",
    "container",
    "kill",
    "die",
    "died",
    "start",
    "stop",
    "oom",
    "destroy",
    "health_status: unhealthy",
    "SIGTERM",
    "9",
    "tcp",
    "host",
    "true",
    ":8000/health",
    "db:service_started:false,cache",
    "127.0.0.1",
    "0001-01-01T00:00:00Z",
    "1970-01-01T00:00:05Z",
    "1970-01-01T00:00:50.5Z",
    "2026-11-22T16:03:00.123456789Z",
    "9999-12-30T22:00:00.999999999Z",
    "-009999-01-02T01:59:59Z",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop::sample::select(&WORDS[..]).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => any::<i64>().prop_map(|number| number.to_string()),
    ]
}

/// A value as fields have one, be it the wrong one.
fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => text().prop_map(Value::from),
        4 => number(),
        2 => any::<bool>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => prop::collection::vec(text(), 0..4).prop_map(Value::from),
        1 => prop::collection::vec((text(), text()), 0..4)
            .prop_map(|fields| fields.into_iter().map(|(name, value)| (name, Value::from(value))).collect()),
    ]
}

/// A number, the greatest and the least as well.
fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => (0..20_i64).prop_map(Value::from),
        1 => prop::sample::select(vec![i64::MIN, -1, i64::MAX]).prop_map(Value::from),
        1 => Just(Value::from(u64::MAX)),
    ]
}

/// An object with some of these fields.
fn object(names: &'static [&'static str]) -> impl Strategy<Value = Map<String, Value>> {
    let field = (prop::sample::select(names).prop_map(str::to_owned), value());
    prop::collection::vec(field, 0..names.len() * 2).prop_map(Map::from_iter)
}

/// The same, with objects in it, each of which may be something else instead.
fn nested(
    names: &'static [&'static str],
    objects: Vec<(&'static str, BoxedStrategy<Map<String, Value>>)>,
) -> BoxedStrategy<Map<String, Value>> {
    let mut all = object(names).boxed();
    for (name, inner) in objects {
        let inner = prop_oneof![8 => inner.prop_map(Value::Object), 1 => value()];
        all = (all, inner)
            .prop_map(move |(mut all, inner)| {
                all.insert(name.to_owned(), inner);
                all
            })
            .boxed();
    }
    all
}

/// A label of ours with any value, between those of others.
fn labels() -> BoxedStrategy<Map<String, Value>> {
    const NAMES: &[&str] = &[
        "sentinel.name",
        "sentinel.http",
        "sentinel.http.url",
        "sentinel.http.status",
        "sentinel.tcp",
        "sentinel.command",
        "sentinel.interval",
        "sentinel.fall",
        "sentinel.after",
        "sentinel.labels.team",
        "sentinel.recovery.burst",
        "sentinel.nonsense",
        "com.docker.compose.project",
        "com.docker.compose.service",
        "com.docker.compose.depends_on",
        "com.docker.compose.oneoff",
    ];
    let ours = (
        any::<bool>(),
        prop::collection::vec((prop::sample::select(NAMES), text()), 0..8),
    );
    ours.prop_map(|(enabled, labels)| {
        let mut all: Map<String, Value> = labels
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .collect();
        all.insert("sentinel.enable".to_owned(), Value::from(enabled.to_string()));
        all
    })
    .boxed()
}

fn inspected() -> impl Strategy<Value = Inspected> {
    const STATE: &[&str] = &[
        "Status",
        "Running",
        "Paused",
        "OOMKilled",
        "ExitCode",
        "Error",
        "StartedAt",
        "FinishedAt",
    ];
    let health = object(&["Status", "FailingStreak", "Log"]).boxed();
    let policy = object(&["Name", "MaximumRetryCount"]).boxed();
    let check = object(&["Test", "Interval", "Timeout", "StartPeriod", "Retries"]).boxed();
    let state = nested(STATE, vec![("Health", health)]);
    let host = &["NetworkMode", "AutoRemove", "PortBindings"];
    let host = nested(host, vec![("RestartPolicy", policy)]);
    let config = nested(&["StopSignal"], vec![("Healthcheck", check), ("Labels", labels())]);
    let config = (config, number()).prop_map(|(mut config, stop_timeout)| {
        config.insert("StopTimeout".to_owned(), stop_timeout);
        config
    });
    let all = nested(
        &["Id", "Name", "Created", "RestartCount"],
        vec![("State", state), ("HostConfig", host), ("Config", config.boxed())],
    );
    all.prop_map(|all| serde_json::from_value(Value::Object(all)).expect("no value costs the whole answer"))
}

fn listed() -> impl Strategy<Value = Listed> {
    let port = object(&["IP", "PrivatePort", "PublicPort", "Type"]);
    let ports = prop::collection::vec(port.prop_map(Value::Object), 0..3);
    let all = nested(&["Id", "Names", "State", "Status"], vec![("Labels", labels())]);
    (all, ports).prop_map(|(mut all, ports)| {
        all.insert("Ports".to_owned(), Value::from(ports));
        serde_json::from_value(Value::Object(all)).expect("no value costs the whole answer")
    })
}

/// An event of a container, at a moment close to others, or anything else.
fn event() -> impl Strategy<Value = EventMessage> {
    let action = prop::sample::select(vec![
        "kill", "die", "stop", "start", "oom", "destroy", "restart", "died",
    ]);
    let signal = prop::sample::select(vec!["15", "SIGKILL", "2", "99", ""]);
    let usual = (action, signal, 0..100_i64).prop_map(|(action, signal, second)| {
        json!({
            "Type": "container", "Action": action, "timeNano": second * 1_000_000_000,
            "Actor": { "ID": "0123456789ab", "Attributes": { "name": "web", "signal": signal, "exitCode": "137" } },
        })
    });
    let actor = nested(
        &["ID"],
        vec![("Attributes", object(&["name", "exitCode", "signal"]).boxed())],
    );
    let other = nested(&["Type", "Action", "timeNano"], vec![("Actor", actor)]).prop_map(Value::Object);
    prop_oneof![4 => usual, 1 => other]
        .prop_map(|event| serde_json::from_value(event).expect("no value costs the whole answer"))
}

/// Any moment there is, the first and the last of them as well.
fn moment() -> impl Strategy<Value = Timestamp> {
    let seconds = Timestamp::MIN.as_second()..=Timestamp::MAX.as_second();
    prop_oneof![
        1 => Just(Timestamp::MIN),
        1 => Just(Timestamp::MAX),
        2 => seconds.prop_map(|second| Timestamp::from_second(second).unwrap_or_default()),
        6 => (0..100_i64).prop_map(|second| Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)),
    ]
}

fn world() -> impl Strategy<Value = World> {
    let away = prop::option::of((moment(), moment()));
    (moment(), moment(), away, any::<bool>(), any::<bool>()).prop_map(|(now, watched_since, away, probed, podman)| {
        World {
            now,
            watched_since,
            away,
            probed,
            podman,
        }
    })
}

proptest! {
    #[test]
    fn any_container_is_judged(
        steps in prop::collection::vec((inspected(), prop::collection::vec(event(), 0..4), any::<bool>(), world()), 1..3)
    ) {
        let mut tracker = Tracker::default();
        for (answer, events, acting, world) in steps {
            tracker.acting = acting;
            for heard in events.into_iter().filter_map(Heard::of) {
                tracker.happened(&heard.happened, heard.at);
            }
            tracker.read(Facts::of(answer));
            tracker.facts.check();
            match classify(&mut tracker, world) {
                Verdict::Seen(observation, again) => {
                    let run = tracker.facts.run_id();
                    prop_assert!(observation.run.is_none() || observation.run == run, "{:?} {:?}", observation, again);
                }
                Verdict::Wait(until) => prop_assert!(until > world.now, "it would wait for what is past"),
            }
        }
    }

    #[test]
    fn any_labels_are_read_or_refused(listed in listed(), answer in inspected()) {
        let container = inventory::describe(listed, answer);
        match labels::read(&container, ("container", "web")) {
            Ok(Some(labelled)) => prop_assert!(labelled.keys.len() <= container.labels.len()),
            Ok(None) => {}
            Err(problems) => prop_assert!(!problems.is_empty()),
        }
    }

    #[test]
    fn any_bytes_are_an_answer_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = serde_json::from_slice::<Version>(&bytes);
        let _ = serde_json::from_slice::<Inspected>(&bytes);
        let _ = serde_json::from_slice::<EventMessage>(&bytes);
    }

    #[test]
    fn any_log_is_bounded_and_the_same_in_whatever_pieces_it_comes(
        kept in 0..64_usize,
        parts in prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..20),
            prop::collection::vec(prop::sample::select(&b"\0\x01\x02\n2026-11-22T16:03:00Z x"[..]), 0..40),
            any::<u8>().prop_map(|length| vec![1, 0, 0, 0, 0, 0, 0, length]),
        ], 0..20),
    ) {
        let (mut whole, mut pieces) = (Log::new(kept), Log::new(kept));
        whole.take(&parts.concat());
        for part in &parts {
            pieces.take(part);
        }
        prop_assert!(whole.written.len() <= kept);
        prop_assert_eq!(&whole.written, &pieces.written);
        let lines = tail::lines(&whole.written, (Timestamp::MIN, Timestamp::MAX), 7);
        prop_assert!(lines.len() <= 7);
    }
}
