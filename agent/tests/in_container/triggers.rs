//! Sockets, paths and timers that start a unit when it is needed. SEMANTICS 1.8, row 20.

use std::collections::BTreeSet;

use sentinel_engine::{ActionKind, ActionResult, Intent, Observation, RunId, TargetState, TriggerState};
use sentinel_systemd::{BusAddress, MayAffect, triggers_of};

use super::{BOUND, Watch, property, run, sh};

/// A service that takes its socket from systemd where there is one, and one that is started by each kind of trigger. The
/// first is down for good, with its socket, when it is asked to die on every connection.
const UNITS: &str = r"
cd /etc/systemd/system
cat >shop.socket <<'S'
[Socket]
ListenStream=127.0.0.1:7101
TriggerLimitBurst=3
TriggerLimitIntervalSec=60
[Install]
WantedBy=sockets.target
S
cat >shop.service <<'S'
[Unit]
StartLimitIntervalSec=300
StartLimitBurst=4
[Service]
ExecStart=/bin/sh -c 'if [ -e /run/shop-dies ]; then exit 1; fi; exec sleep infinity'
S
cat >pulls.socket <<'S'
[Socket]
ListenStream=127.0.0.1:7102
S
cat >pulls.service <<'S'
[Unit]
StartLimitIntervalSec=0
[Service]
Sockets=pulls.socket
ExecStart=/bin/sleep infinity
S
cat >idle.socket <<'S'
[Socket]
ListenStream=127.0.0.1:7104
TriggerLimitBurst=2
TriggerLimitIntervalSec=1
S
cat >idle.service <<'S'
[Unit]
StartLimitIntervalSec=0
[Service]
ExecStart=/bin/true
S
cat >work.path <<'S'
[Path]
PathExists=/run/work-to-do
S
cat >work.timer <<'S'
[Timer]
OnBootSec=10h
S
cat >work.service <<'S'
[Service]
ExecStart=/bin/sleep infinity
S
systemctl daemon-reload
";

impl Watch {
    async fn carry_out(&self, unit: &str, kind: ActionKind, may_affect: MayAffect<'_>) -> ActionResult {
        let begun = tokio::sync::oneshot::channel().0;
        let unit = format!("{unit}.service");
        let run: Option<&RunId> = None;
        self.systemd
            .restart(&unit, kind, run, may_affect, Some(BOUND), begun)
            .await
    }
}

/// What is told of a trigger: `waits`, `failed`, ...
fn reported(seen: &Observation, name: &str) -> &'static str {
    let trigger = seen.details.triggers.iter().find(|trigger| trigger.name == name);
    match trigger.map(|trigger| &trigger.state) {
        None => "waits",
        Some(TriggerState::Failed { .. }) => "failed",
        Some(TriggerState::Stopped) => "stopped",
        Some(TriggerState::Unseen) => "unseen",
    }
}

fn is_idle(seen: &Observation) -> bool {
    matches!(
        seen.state,
        TargetState::Down {
            intent: Intent::NotApplicable,
            ..
        }
    )
}

async fn state(unit: &str) -> String {
    property(unit, "ActiveState").await
}

/// Connects until the socket has failed.
async fn fail(socket: &str, port: u16) {
    let connect = format!("echo | timeout 1 bash -c 'cat >/dev/tcp/127.0.0.1/{port}'");
    sh(&format!(
        "for i in $(seq 50); do {connect}; systemctl is-failed -q {socket} && break; sleep 0.1; done 2>/dev/null"
    ))
    .await;
    assert_eq!(state(socket).await, "failed", "{socket}");
}

#[test]
#[ignore = "runs inside a test host"]
fn a_socket_that_failed_is_started_before_its_service() {
    run(async {
        sh(UNITS).await;
        sh("systemctl start shop.socket shop.service").await;
        let mut watch = Watch::start(&["shop"]).await;
        watch.until_running("shop").await;

        // It dies on every connection, until systemd starts neither any more.
        // (Killed first: its shell may not have looked yet, and would end by itself.)
        sh("kill -9 $(systemctl show -P MainPID shop); touch /run/shop-dies").await;
        fail("shop.socket", 7101).await;
        let down = watch
            .until("shop", "down with its socket", |seen| {
                reported(seen, "shop.socket") == "failed"
            })
            .await;
        assert!(
            matches!(
                down.state,
                TargetState::Down {
                    intent: Intent::Crash,
                    ..
                }
            ),
            "{down:?}"
        );
        sh("rm /run/shop-dies").await;

        let result = watch.carry_out("shop", ActionKind::Start, MayAffect::Only(&[])).await;
        assert_eq!(result, ActionResult::Done);
        assert_eq!(
            (state("shop.socket").await, state("shop").await),
            ("active".into(), "active".into())
        );
        watch
            .until("shop", "told to wait", |seen| {
                seen.state == TargetState::Running && reported(seen, "shop.socket") == "waits"
            })
            .await;
        // The service has the socket, and not one of its own.
        assert_eq!(property("shop.socket", "SubState").await, "running");
    });
}

#[test]
#[ignore = "runs inside a test host"]
fn a_socket_that_failed_beside_a_service_that_runs_is_reported() {
    run(async {
        sh(UNITS).await;
        sh("systemctl start shop.socket").await;
        let mut watch = Watch::start(&["shop"]).await;
        watch
            .until("shop", "idle and waited for", |seen| {
                is_idle(seen) || matches!(seen.state, TargetState::Down { .. })
            })
            .await;
        sh("touch /run/shop-dies").await;
        fail("shop.socket", 7101).await;
        sh("rm /run/shop-dies; systemctl reset-failed shop; systemctl start shop").await;
        watch
            .until("shop", "running without its socket", |seen| {
                seen.state == TargetState::Running && reported(seen, "shop.socket") == "failed"
            })
            .await;
        // That is how systemd has it.
        assert_eq!(
            sh("systemctl start shop.socket >/dev/null 2>&1; echo $?").await,
            "1",
            "a socket is not started while its service runs"
        );

        // A restart of it for another reason leaves the socket alone.
        let result = watch.carry_out("shop", ActionKind::Restart, MayAffect::Only(&[])).await;
        assert_eq!(result, ActionResult::Done);
        assert_eq!(
            (state("shop.socket").await, state("shop").await),
            ("failed".into(), "active".into())
        );
        let result = watch
            .carry_out("shop", ActionKind::StartTrigger, MayAffect::Only(&[]))
            .await;
        assert!(matches!(result, ActionResult::Outdated(_)), "{result:?}");

        // What is typed then ends it.
        sh("systemctl stop shop.service && systemctl start shop.socket shop.service").await;
        watch
            .until("shop", "told to wait", |seen| {
                seen.state == TargetState::Running && reported(seen, "shop.socket") == "waits"
            })
            .await;
    });
}

#[test]
#[ignore = "runs inside a test host"]
fn a_socket_that_was_stopped_is_never_started() {
    run(async {
        sh(UNITS).await;
        sh("systemctl start shop.socket shop.service pulls.socket pulls.service").await;
        let mut watch = Watch::start(&["shop", "pulls"]).await;
        for unit in ["shop", "pulls"] {
            let socket = format!("{unit}.socket");
            sh(&format!("systemctl stop {socket} 2>/dev/null")).await;
            watch
                .until(unit, "told that its socket was stopped", |seen| {
                    reported(seen, &socket) == "stopped"
                })
                .await;
            assert_eq!(state(unit).await, "active", "{unit}");
            sh(&format!("kill -9 $(systemctl show -P MainPID {unit})")).await;
            watch.until_down(unit, Intent::Crash).await;
        }
        // The service runs again, and its socket does not.
        let result = watch.carry_out("shop", ActionKind::Start, MayAffect::Only(&[])).await;
        assert_eq!(result, ActionResult::Done);
        assert_eq!(
            (state("shop.socket").await, state("shop").await),
            ("inactive".into(), "active".into())
        );

        // This one would be started with its service, whatever may be affected.
        for allowed in [&[][..], &["pulls.socket".to_owned()], &["*".to_owned()]] {
            let result = watch
                .carry_out("pulls", ActionKind::Start, MayAffect::Only(allowed))
                .await;
            assert!(
                matches!(&result, ActionResult::Refused(why) if why.contains("`pulls.socket`") && why.contains("stopped")),
                "{result:?}"
            );
            assert_eq!(
                (state("pulls.socket").await, state("pulls").await),
                ("inactive".into(), "failed".into())
            );
        }
        // Unless an operator asks for it, as with `systemctl start`.
        let result = watch.carry_out("pulls", ActionKind::Start, MayAffect::Anything).await;
        assert_eq!(result, ActionResult::Done);
        assert_eq!(
            (state("pulls.socket").await, state("pulls").await),
            ("active".into(), "active".into())
        );

        // A stop that is found, and was not witnessed, is one as well.
        sh("systemctl stop pulls.socket 2>/dev/null").await;
        let later = Watch::start(&["pulls"]).await;
        let mut later = later;
        later
            .until("pulls", "told that its socket was stopped", |seen| {
                reported(seen, "pulls.socket") == "stopped"
            })
            .await;
    });
}

#[test]
#[ignore = "runs inside a test host"]
fn a_socket_that_failed_while_its_service_was_idle_is_started_alone() {
    run(async {
        sh(UNITS).await;
        sh("systemctl start idle.socket").await;
        let mut watch = Watch::start(&["idle"]).await;
        // It ends at once, so that each connection triggers it over and over.
        fail("idle.socket", 7104).await;
        let seen = watch
            .until("idle", "idle without its socket", |seen| {
                is_idle(seen) && reported(seen, "idle.socket") == "failed"
            })
            .await;
        let before = seen.run;
        let result = watch
            .carry_out("idle", ActionKind::StartTrigger, MayAffect::Only(&[]))
            .await;
        assert_eq!(result, ActionResult::Done);
        assert_eq!(
            (state("idle.socket").await, state("idle").await),
            ("active".into(), "inactive".into())
        );
        let seen = watch
            .until("idle", "waited for again", |seen| {
                is_idle(seen) && reported(seen, "idle.socket") == "waits"
            })
            .await;
        assert_eq!(seen.run, before, "the service was not started");
        let result = watch
            .carry_out("idle", ActionKind::StartTrigger, MayAffect::Only(&[]))
            .await;
        assert!(matches!(result, ActionResult::Outdated(_)), "{result:?}");

        // Stopped by an operator, it is none that failed.
        sh("systemctl stop idle.socket").await;
        let seen = watch
            .until("idle", "told that its socket was stopped", |seen| {
                reported(seen, "idle.socket") == "stopped"
            })
            .await;
        assert!(is_idle(&seen), "{seen:?}");
        let result = watch
            .carry_out("idle", ActionKind::StartTrigger, MayAffect::Only(&[]))
            .await;
        assert!(matches!(result, ActionResult::Outdated(_)), "{result:?}");
        assert_eq!(state("idle.socket").await, "inactive");
    });
}

#[test]
#[ignore = "runs inside a test host"]
fn what_triggers_a_unit_is_known_whether_or_not_it_is_loaded() {
    run(async {
        sh(UNITS).await;
        let units: BTreeSet<String> = ["shop.service", "work.service", "a.service"].map(str::to_owned).into();
        let triggers = triggers_of(&BusAddress::System, &units).await.expect("systemd answers");
        let pairs: Vec<(&str, &str)> = triggers
            .iter()
            .map(|(trigger, unit)| (trigger.as_str(), unit.as_str()))
            .collect();
        assert_eq!(
            pairs,
            [
                ("shop.socket", "shop.service"),
                ("work.path", "work.service"),
                ("work.timer", "work.service"),
            ]
        );
    });
}
