//! Starting and restarting, and keeping hands off.

use std::time::Duration;

use sentinel_engine::{ActionKind, ActionResult, Intent, RunId};
use sentinel_systemd::MayAffect;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{BOUND, Watch, property, run, sh};

impl Watch {
    async fn act(&self, unit: &str, kind: ActionKind, expected: Option<&RunId>) -> ActionResult {
        self.systemd
            .restart(
                &format!("{unit}.service"),
                kind,
                expected,
                MayAffect::Only(&[]),
                Some(BOUND),
                oneshot::channel().0,
            )
            .await
    }
}

#[test]
#[ignore = "runs inside a test host"]
fn verbs_act_only_on_what_was_decided_about() {
    run(async {
        sh("systemctl start a brk").await;
        let mut watch = Watch::start(&["a", "brk", "depfail", "nostart", "cond"]).await;

        // It runs and is unwell.
        let before = watch.run_id("a");
        assert_eq!(
            watch.act("a", ActionKind::Restart, before.as_ref()).await,
            ActionResult::Done
        );
        watch
            .until("a", "another run", |seen| seen.run != before && seen.age.is_some())
            .await;
        assert!(matches!(
            watch.act("a", ActionKind::Restart, before.as_ref()).await,
            ActionResult::Outdated(_)
        ));
        assert!(matches!(
            watch.act("a", ActionKind::Start, None).await,
            ActionResult::Outdated(_)
        ));

        // It failed.
        sh("kill -9 $(systemctl show -P MainPID a)").await;
        watch.until_down("a", Intent::Crash).await;
        let failed = watch.run_id("a");
        assert!(matches!(
            watch.act("a", ActionKind::Restart, failed.as_ref()).await,
            ActionResult::Outdated(_)
        ));
        assert!(matches!(
            watch.act("a", ActionKind::Start, before.as_ref()).await,
            ActionResult::Outdated(_)
        ));
        assert_eq!(property("a", "ActiveState").await, "failed");
        assert_eq!(
            watch.act("a", ActionKind::Start, failed.as_ref()).await,
            ActionResult::Done
        );
        watch.until_running("a").await;

        // It cannot come up. The failed attempt is a crash, not somebody's stop.
        sh("kill -9 $(systemctl show -P MainPID brk); touch /run/brk").await;
        watch.until_down("brk", Intent::Crash).await;
        let result = watch.act("brk", ActionKind::Start, watch.run_id("brk").as_ref()).await;
        assert!(matches!(result, ActionResult::Failed(_)), "{result:?}");
        watch.quiet().await;
        watch.until_down("brk", Intent::Crash).await;

        let result = watch.act("depfail", ActionKind::Start, None).await;
        assert!(matches!(result, ActionResult::Failed(_)), "{result:?}");
        watch.until_down("depfail", Intent::DependencyStop).await;
        for (unit, why) in [("nostart", "manual"), ("masked", "masked"), ("nosuch", "not found")] {
            let result = watch.act(unit, ActionKind::Start, None).await;
            assert!(
                matches!(&result, ActionResult::Refused(words) if words.contains(why)),
                "{unit}: {result:?}"
            );
        }
    });
}

#[test]
#[ignore = "runs inside a test host"]
fn a_restart_never_leaves_a_start_limited_unit_down() {
    run(async {
        sh("systemctl start limit2; systemctl restart limit2").await;
        let mut watch = Watch::start(&["limit2", "limit"]).await;
        for _ in 0..4 {
            let running = watch.until_running("limit2").await;
            let result = watch.act("limit2", ActionKind::Restart, running.run.as_ref()).await;
            assert_eq!(result, ActionResult::Done);
            watch
                .until("limit2", "another run", |seen| {
                    seen.run != running.run && seen.age.is_some()
                })
                .await;
        }
        // systemd gave up on this one; what is asked for is a start all the same.
        sh("systemctl start limit").await;
        let gave_up = watch
            .until("limit", "given up", |seen| {
                seen.supervisor == sentinel_engine::Supervisor::GaveUp
            })
            .await;
        sh("mkdir -p /etc/systemd/system/limit.service.d; printf '[Service]\\nExecStart=\\nExecStart=/bin/sleep infinity\\n' >/etc/systemd/system/limit.service.d/x.conf; systemctl daemon-reload").await;
        let result = watch.act("limit", ActionKind::Start, gave_up.run.as_ref()).await;
        assert_eq!(result, ActionResult::Done);
        watch.until_running("limit").await;
    });
}

#[test]
#[ignore = "runs inside a test host"]
fn an_operator_wins() {
    run(async {
        sh("systemctl start a slowstop sig").await;
        let mut watch = Watch::start(&["a", "slowstop", "sig", "slow"]).await;

        // A stop under way is left alone, whichever kind is asked for.
        let running = watch.run_id("slowstop");
        sh("systemctl --no-block stop slowstop").await;
        for kind in [ActionKind::Restart, ActionKind::Start] {
            let result = watch.act("slowstop", kind, running.as_ref()).await;
            assert!(matches!(result, ActionResult::Conflict(_)), "{result:?}");
        }
        watch.until_down("slowstop", Intent::OperatorStop).await;

        // What was decided before a stop is not carried out after it.
        let running = watch.run_id("sig");
        sh("systemctl stop sig").await;
        let result = watch.act("sig", ActionKind::Restart, running.as_ref()).await;
        assert!(matches!(result, ActionResult::Outdated(_)), "{result:?}");
        watch.until_down("sig", Intent::OperatorStop).await;

        // An operator stops it while our start runs.
        let start = watch.act("slow", ActionKind::Start, None);
        let stop = async {
            while property("slow", "ActiveState").await != "activating" {}
            sh("systemctl stop slow").await;
        };
        let (result, ()) = tokio::join!(start, stop);
        assert!(matches!(result, ActionResult::Cancelled(_)), "{result:?}");
        watch.until_down("slow", Intent::OperatorStop).await;

        // The new run is told of before it is ready.
        let (begun, has_begun) = oneshot::channel();
        let start = watch.systemd.restart(
            "slow.service",
            ActionKind::Start,
            None,
            MayAffect::Only(&[]),
            Some(BOUND),
            begun,
        );
        let stop = async {
            has_begun.await.expect("it begins");
            assert_eq!(property("slow", "ActiveState").await, "activating");
            sh("systemctl stop slow").await;
        };
        let (result, ()) = tokio::join!(start, stop);
        assert!(matches!(result, ActionResult::Cancelled(_)), "{result:?}");
        watch.until_down("slow", Intent::OperatorStop).await;

        // A deadline is no failure.
        let result = watch
            .systemd
            .restart(
                "slow.service",
                ActionKind::Start,
                None,
                MayAffect::Only(&[]),
                Some(Duration::from_millis(100)),
                oneshot::channel().0,
            )
            .await;
        assert!(matches!(result, ActionResult::Unknown(_)), "{result:?}");

        // The bus goes away in the middle: nobody knows.
        sh("systemctl stop slow").await;
        watch.until_down("slow", Intent::OperatorStop).await;
        let start = watch.act("slow", ActionKind::Start, None);
        let cut = async {
            while property("slow", "ActiveState").await != "activating" {}
            sh("systemctl kill -s KILL dbus").await;
        };
        let (result, ()) = tokio::join!(start, cut);
        assert!(matches!(result, ActionResult::Unknown(_)), "{result:?}");
    });
}

#[test]
#[ignore = "runs inside a test host"]
fn an_unprivileged_agent_does_what_it_may() {
    run(async {
        let mut watch = Watch::start(&["a", "b", "limit", "limit2"]).await;
        // Without the journal it is unknown whether this was a stop.
        let failed = watch.until_down("a", Intent::Unclear).await;
        let result = watch.act("a", ActionKind::Start, failed.run.as_ref()).await;
        assert_eq!(result, ActionResult::Done);
        watch.until_running("a").await;

        let result = watch.act("b", ActionKind::Start, None).await;
        assert!(matches!(result, ActionResult::Refused(_)), "{result:?}");
        watch.until_down("b", Intent::Unclear).await;

        // A full start-limit counter is cleared before the restart.
        for _ in 0..3 {
            let running = watch.until_running("limit2").await;
            let result = watch.act("limit2", ActionKind::Restart, running.run.as_ref()).await;
            assert_eq!(result, ActionResult::Done);
            watch
                .until("limit2", "another run", |seen| {
                    seen.run != running.run && seen.age.is_some()
                })
                .await;
        }

        // And after a start that it refused: this one is started, and fails as it always does.
        let gave_up = watch.until_down("limit", Intent::Unclear).await;
        let result = watch.act("limit", ActionKind::Start, gave_up.run.as_ref()).await;
        assert_eq!(result, ActionResult::Done);
        watch
            .until("limit", "another run", |seen| seen.run != gave_up.run)
            .await;
    });
}

/// Prints times and asserts none: how fast it is on a machine that is busy with builds says nothing.
#[test]
#[ignore = "runs inside a test host"]
fn a_crash_is_seen_and_healed_in_milliseconds() {
    const KILLS: usize = 30;
    run(async {
        sh("systemctl start a r0").await;
        let mut watch = Watch::start(&["a", "r0"]).await;
        let (mut seen, mut done, mut healed, mut native) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..KILLS {
            let pid = property("a", "MainPID").await.parse().expect("a pid");
            let pid = rustix::process::Pid::from_raw(pid).expect("it runs");
            let start = Instant::now();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("root may");
            let down = watch.until_down("a", Intent::Crash).await;
            seen.push(start.elapsed());
            let result = watch.act("a", ActionKind::Start, down.run.as_ref()).await;
            assert_eq!(result, ActionResult::Done);
            done.push(start.elapsed());
            watch.until_running("a").await;
            healed.push(start.elapsed());

            let before = watch.until_running("r0").await.run;
            let pid = property("r0", "MainPID").await.parse().expect("a pid");
            let pid = rustix::process::Pid::from_raw(pid).expect("it runs");
            let start = Instant::now();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("root may");
            watch
                .until("r0", "another run", |seen| seen.run != before && seen.age.is_some())
                .await;
            native.push(start.elapsed());
        }
        for (what, times) in [
            ("seen", &mut seen),
            ("job done", &mut done),
            ("healed", &mut healed),
            ("RestartSec=0", &mut native),
        ] {
            times.sort_unstable();
            println!("{what:14} median {:?}, max {:?}", times[KILLS / 2], times[KILLS - 1]);
        }
    });
}
