//! What was done to a unit, and what the watcher makes of it.

use std::collections::BTreeMap;
use std::time::Duration;

use sentinel_engine::{Activity, Cause, Intent, Observation, TargetState};
use tokio::time::Instant;

use super::{Watch, run, sh};

/// Times each scenario is run; `SENTINEL_TRIALS` says otherwise.
const ATTEMPTS: usize = 4;

/// Less than the time after which a poll would find what the signals missed.
const SETTLED_WITHIN: Duration = Duration::from_secs(10);

/// What a scenario ends in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Truth {
    Running,
    AutoRestart,
    OperatorStop,
    DependencyStop,
    /// The same, on account of a unit that went down by itself.
    Fell,
    ConflictStop,
    CleanExit,
    Signal,
    ExitCode,
    StartLimit,
    NotApplicable,
    Other,
}

use Truth::{
    AutoRestart, CleanExit, ConflictStop, DependencyStop, ExitCode, Fell, NotApplicable, OperatorStop, Running, Signal,
    StartLimit,
};

/// Name, unit, what is done to it, and what that is.
const SCENARIOS: &[(&str, &str, &str, Truth)] = &[
    ("clean stop", "a", "systemctl stop a", OperatorStop),
    ("stop, exits 1", "unclean", "systemctl stop unclean", OperatorStop),
    ("stop, exits 143", "sig", "systemctl stop sig", OperatorStop),
    (
        "stop timeout and SIGKILL",
        "slowstop",
        "systemctl stop slowstop",
        OperatorStop,
    ),
    ("kill -9", "a", "kill -9 $(systemctl show -P MainPID a)", Signal),
    (
        "kill -9 of a unit with a trap",
        "unclean",
        "kill -9 $(systemctl show -P MainPID unclean)",
        Signal,
    ),
    (
        "kill -TERM",
        "a",
        "kill -TERM $(systemctl show -P MainPID a)",
        CleanExit,
    ),
    (
        "kill -TERM, exits 1",
        "unclean",
        "kill -TERM $(systemctl show -P MainPID unclean)",
        ExitCode,
    ),
    ("systemctl kill", "a", "systemctl kill a", CleanExit),
    ("systemctl restart", "a", "systemctl restart a", Running),
    (
        "systemctl restart, exits 1",
        "unclean",
        "systemctl restart unclean",
        Running,
    ),
    (
        "native restart",
        "r0",
        "kill -9 $(systemctl show -P MainPID r0)",
        Running,
    ),
    (
        "crash, operator stops it in auto-restart",
        "r",
        "kill -9 $(systemctl show -P MainPID r); sleep .4; systemctl stop r",
        OperatorStop,
    ),
    (
        "crash, in auto-restart",
        "r",
        "kill -9 $(systemctl show -P MainPID r)",
        AutoRestart,
    ),
    (
        "BindsTo= stops it",
        "binds",
        "kill -9 $(systemctl show -P MainPID a)",
        Fell,
    ),
    (
        "BindsTo= stops it, after a clean exit",
        "binds",
        "kill -TERM $(systemctl show -P MainPID a)",
        Fell,
    ),
    (
        "BindsTo= stops it, and that was asked for",
        "binds",
        "systemctl stop a",
        DependencyStop,
    ),
    (
        "BindsTo= stops it, and then somebody",
        "binds",
        "kill -9 $(systemctl show -P MainPID a); until [ $(systemctl show -P SubState binds) = dead ]; do :; done; \
         systemctl stop binds",
        OperatorStop,
    ),
    ("PartOf= stops it", "part", "systemctl stop a", DependencyStop),
    ("Conflicts= stops it", "b", "systemctl start confl", ConflictStop),
    (
        "crash with a racing daemon-reload",
        "a",
        "P=$(systemctl show -P MainPID a); systemctl daemon-reload & kill -9 $P; wait",
        Signal,
    ),
    (
        "stop with a racing daemon-reload",
        "unclean",
        "systemctl daemon-reload & systemctl stop unclean; wait",
        OperatorStop,
    ),
    (
        "operator's restart hits the start limit",
        "limit2",
        "systemctl restart limit2; systemctl restart limit2",
        StartLimit,
    ),
    (
        "operator's restart, ExecStartPre= fails",
        "brk",
        "touch /run/brk; systemctl restart brk; rm -f /run/brk",
        ExitCode,
    ),
    (
        "operator's restart, the binary is gone",
        "brkx",
        "mv /usr/local/bin/brkx /usr/local/bin/brkx.o; systemctl restart brkx; mv /usr/local/bin/brkx.o /usr/local/bin/brkx",
        ExitCode,
    ),
    (
        "operator's restart of a failed unit fails again",
        "brk",
        "kill -9 $(systemctl show -P MainPID brk); sleep .1; touch /run/brk; systemctl restart brk; rm -f /run/brk",
        ExitCode,
    ),
    ("native restarts hit the start limit", "limit", "sleep .8", ExitCode),
    (
        "crash, then reset-failed",
        "a",
        "kill -9 $(systemctl show -P MainPID a); sleep .1; systemctl reset-failed a",
        Signal,
    ),
    ("oneshot does its work", "oneshot", "true", NotApplicable),
    ("oneshot fails", "oneshotfail", "true", ExitCode),
    (
        "oneshot that remains, stopped",
        "oneshotrae",
        "systemctl stop oneshotrae",
        OperatorStop,
    ),
    ("condition not met", "cond", "true", NotApplicable),
    ("the dependency cannot start", "depfail", "true", Fell),
];

fn truth_of(seen: &Observation) -> Truth {
    let fell = seen.details.fell_with.as_ref().is_some_and(|other| other.failed);
    match &seen.state {
        TargetState::Running => Running,
        TargetState::Busy(Activity::AutoRestart) => AutoRestart,
        TargetState::Down { intent, cause } => match (intent, cause) {
            (Intent::OperatorStop, _) => OperatorStop,
            (Intent::DependencyStop, _) if fell => Fell,
            (Intent::DependencyStop, _) => DependencyStop,
            (Intent::ConflictStop, _) => ConflictStop,
            (Intent::CleanExit, _) => CleanExit,
            (Intent::NotApplicable | Intent::ConditionNotMet, _) => NotApplicable,
            (Intent::Crash | Intent::OneshotFailed, Cause::Killed { .. }) => Signal,
            (Intent::Crash | Intent::OneshotFailed, Cause::Exited { .. } | Cause::NotStarted { .. }) => ExitCode,
            (Intent::Crash | Intent::OneshotFailed, Cause::Other { result }) if result == "exit-code" => ExitCode,
            (Intent::Crash | Intent::OneshotFailed, Cause::StartLimit) => StartLimit,
            _ => Truth::Other,
        },
        _ => Truth::Other,
    }
}

/// What would have made the agent do the wrong thing, even if it had been taken back a moment later.
fn is_harmful(truth: Truth, seen: Truth) -> bool {
    let on_purpose = [OperatorStop, DependencyStop, ConflictStop, NotApplicable];
    let by_itself = [CleanExit, Fell, Signal, ExitCode, StartLimit];
    seen != truth
        && (seen == Truth::Other
            || (on_purpose.contains(&truth) && by_itself.contains(&seen))
            || (by_itself.contains(&truth) && on_purpose.contains(&seen)))
}

#[test]
#[ignore = "runs inside a test host"]
fn intent_agrees_with_what_was_done() {
    let attempts = std::env::var("SENTINEL_TRIALS")
        .ok()
        .and_then(|attempts| attempts.parse().ok())
        .unwrap_or(ATTEMPTS);
    run(async {
        let mut units: Vec<&str> = SCENARIOS.iter().map(|(_, unit, ..)| *unit).collect();
        units.sort_unstable();
        units.dedup();
        let mut watch = Watch::start(&units).await;
        let (mut total, mut wrong) = (0, Vec::new());
        for (name, unit, done, truth) in SCENARIOS {
            let attempts = if name.contains("timeout") { 2 } else { attempts };
            let mut seen = BTreeMap::<Truth, usize>::new();
            for _ in 0..attempts {
                total += 1;
                let outcome = attempt(&mut watch, unit, done, *truth).await;
                *seen.entry(outcome).or_default() += 1;
                if outcome != *truth {
                    wrong.push(format!("{name}: {:?}", watch.reported.get(*unit)));
                }
            }
            println!("{name:50} {truth:?}: {seen:?}");
        }
        println!("agreement {}/{total}", total - wrong.len());
        assert!(wrong.is_empty(), "{wrong:#?}");
    });
}

/// Does it once. Answers what the watcher makes of it, or the first harmful thing it said on the way.
async fn attempt(watch: &mut Watch, unit: &str, done: &str, truth: Truth) -> Truth {
    sh("systemctl stop confl; systemctl reset-failed; systemctl start a").await;
    if !matches!(unit, "limit" | "oneshot" | "oneshotfail" | "cond" | "depfail") {
        sh(&format!("systemctl start {unit}")).await;
        watch.until_running(unit).await;
    }
    watch.quiet().await;
    watch.forget();
    if matches!(unit, "limit" | "oneshot" | "oneshotfail" | "cond" | "depfail") {
        sh(&format!("systemctl start {unit}")).await;
    }
    sh(done).await;
    let bound = Instant::now() + SETTLED_WITHIN;
    while watch.last(unit).map(truth_of) != Some(truth) && Instant::now() < bound {
        watch.quiet().await;
    }
    // It has to stay so.
    watch.quiet().await;
    let reported: Vec<Truth> = watch.reported[unit].iter().map(truth_of).collect();
    let harm = reported
        .iter()
        .skip(1)
        .find(|seen| {
            // On the way to their end these really do crash, or fall.
            let crashed = matches!(**seen, Fell | Signal | ExitCode) && done.contains("kill -9");
            !crashed && **seen != Truth::Other && is_harmful(truth, **seen)
        })
        .copied();
    if matches!(unit, "r" | "r0") {
        sh(&format!("systemctl stop {unit}")).await;
    }
    harm.or_else(|| reported.last().copied()).unwrap_or(Truth::Other)
}
