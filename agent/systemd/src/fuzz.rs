//! Whatever PID 1 and its journal say of a unit, something is made of it: no panic, no bound passed. `make fuzz` tries more of
//! it.

use proptest::prelude::*;
use sentinel_engine::TargetState;
use zbus::Variant;

use super::attribution::Peer;
use super::classify::{Verdict, World, classify};
use super::facts::{ActiveState, Properties};
use super::journal::Past;
use super::started::Jobs;
use super::tracker::Tracker;

/// The properties that are read, and one that is not.
const PROPERTIES: [&str; 43] = [
    "Id",
    "LoadState",
    "SubState",
    "Result",
    "Restart",
    "Type",
    "LogNamespace",
    "ExecMainStartTimestampMonotonic",
    "ExecMainExitTimestampMonotonic",
    "StateChangeTimestampMonotonic",
    "ActiveEnterTimestampMonotonic",
    "ActiveExitTimestampMonotonic",
    "InactiveEnterTimestampMonotonic",
    "InactiveExitTimestampMonotonic",
    "TimeoutStartUSec",
    "TimeoutStopUSec",
    "ConditionTimestampMonotonic",
    "AssertTimestampMonotonic",
    "ConditionResult",
    "Conditions",
    "AssertResult",
    "RemainAfterExit",
    "ExecMainCode",
    "ExecMainStatus",
    "RestartPreventExitStatus",
    "RestartForceExitStatus",
    "BindsTo",
    "Requires",
    "Requisite",
    "PartOf",
    "StopPropagatedFrom",
    "Conflicts",
    "RequiredBy",
    "WantedBy",
    "UpheldBy",
    "TriggeredBy",
    "ActiveState",
    "NRestarts",
    "FreezerState",
    "Job",
    "LoadError",
    "InvocationID",
    "Description",
];

const WORDS: [&str; 28] = [
    "",
    "a.service",
    "shutdown.target",
    "inactive",
    "failed",
    "activating",
    "active",
    "reloading",
    "deactivating",
    "loaded",
    "not-found",
    "masked",
    "bad-setting",
    "auto-restart",
    "running",
    "dead",
    "success",
    "exit-code",
    "signal",
    "timeout",
    "start-limit-hit",
    "exec-condition",
    "oneshot",
    "simple",
    "on-failure",
    "no",
    "done",
    "dependency",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(&WORDS[..]).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..20_u64, 1 => Just(u64::MAX), 1 => Just(u64::MAX - 1), 1 => any::<u64>()]
}

/// A value of each type that a property has, be it that of another one.
fn value() -> impl Strategy<Value = Variant<'static>> {
    let condition = (text(), any::<bool>(), any::<bool>(), text(), -2..2_i32);
    prop_oneof![
        6 => text().prop_map(Variant::from),
        4 => number().prop_map(Variant::from),
        2 => any::<bool>().prop_map(Variant::from),
        2 => prop_oneof![0..8_i32, any::<i32>()].prop_map(Variant::from),
        2 => prop_oneof![0..8_u32, any::<u32>()].prop_map(Variant::from),
        2 => prop::collection::vec(text(), 0..4).prop_map(Variant::from),
        1 => prop::collection::vec(any::<u8>(), 0..20).prop_map(Variant::from),
        1 => (any::<u32>(), text()).prop_map(Variant::from),
        1 => (text(), text()).prop_map(Variant::from),
        1 => (prop::collection::vec(any::<i32>(), 0..3), prop::collection::vec(any::<i32>(), 0..3)).prop_map(Variant::from),
        1 => prop::collection::vec(condition, 0..3).prop_map(Variant::from),
    ]
}

/// What decides most, more often than the rest.
fn name() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        1 => Just("ActiveState"),
        6 => prop::sample::select(&PROPERTIES[..]),
    ]
}

type Values = Vec<(&'static str, Variant<'static>)>;

/// What happens to a unit that is watched.
#[derive(Debug)]
enum Step {
    TypeChanged(Values),
    Changed(Values),
    Read(Values),
    PeersAre(Values),
    JobRemoved(u32, bool, String),
    JobIsOwn(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let state = prop::sample::select(vec![
        "inactive",
        "failed",
        "activating",
        "active",
        "deactivating",
        "refreshing",
    ]);
    let values = || {
        (state.clone(), prop::collection::vec((name(), value()), 0..40)).prop_map(|(state, mut values)| {
            values.push(("ActiveState", Variant::from(state)));
            values
        })
    };
    prop_oneof![
        2 => values().prop_map(Step::TypeChanged),
        4 => values().prop_map(Step::Changed),
        2 => values().prop_map(Step::Read),
        1 => values().prop_map(Step::PeersAre),
        2 => (0..8_u32, any::<bool>(), text()).prop_map(|(id, own, result)| Step::JobRemoved(id, own, result)),
        1 => (0..8_u32).prop_map(Step::JobIsOwn),
    ]
}

fn take(tracker: &mut Tracker, step: &Step) {
    let properties = |values: &Values| values.iter().cloned().collect::<Properties<'_>>();
    match step {
        Step::TypeChanged(values) => tracker.type_changed(&properties(values)),
        Step::Changed(values) => drop(tracker.changed(&properties(values))),
        Step::Read(values) => tracker.read(&properties(values)),
        Step::PeersAre(values) => tracker.peers_are(&properties(values)),
        Step::JobRemoved(id, own, result) => tracker.job_removed(*id, *own, result),
        Step::JobIsOwn(id) => tracker.job_is_own(*id),
    }
}

fn peer() -> impl Strategy<Value = Peer> {
    (text(), text(), text(), number(), number(), number()).prop_map(
        |(name, state, job_type, active_enter, active_exit, inactive_exit)| Peer {
            name,
            state: ActiveState::from_word(&state),
            job_type,
            active_enter,
            active_exit,
            inactive_exit,
        },
    )
}

fn past() -> impl Strategy<Value = Past> {
    prop::sample::select(vec![
        Past::Stopped,
        Past::Crashed(None),
        Past::Exited,
        Past::Dependency,
        Past::Unknown,
    ])
}

proptest! {
    #[test]
    fn any_unit_is_judged_once_its_questions_are_answered(
        steps in prop::collection::vec((step(), number()), 1..12),
        made in prop::collection::vec((0..8_u32, text(), number()), 0..8),
        host_stopping in any::<bool>(),
        own_job in any::<bool>(),
        peers in prop::collection::vec(peer(), 0..4),
        past in past(),
    ) {
        let mut jobs = Jobs::new();
        for (id, unit, at) in &made {
            jobs.made(*id, unit, *at);
        }
        let mut tracker = Tracker::default();
        for (step, now) in &steps {
            take(&mut tracker, step);
            let world = World { now: *now, host_stopping, own_job, jobs: &jobs };
            let mut asked = 0;
            let seen = loop {
                match classify(&mut tracker, world) {
                    Verdict::Seen(seen) => break seen,
                    Verdict::AskPeers => tracker.peers = Some(peers.clone()),
                    Verdict::AskJournal => tracker.past = Some(past.clone()),
                }
                asked += 1;
                prop_assert!(asked <= 2, "it asks what was answered");
            };
            let is_up = tracker.facts.active_state.is_up();
            prop_assert!(!is_up || !matches!(seen.state, TargetState::Down { .. }), "{:?}", seen);
        }
    }
}
