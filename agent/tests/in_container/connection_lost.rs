//! The connection to the bus is lost and comes back.

use std::time::Duration;

use sentinel_engine::{Cause, Intent, TargetState};
use tokio::time::Instant;

use super::{Watch, property, run, sh, watched};

/// How long the agent may be blind after its bus is gone.
const UNOBSERVABLE_MAX: Duration = Duration::from_secs(5);

#[test]
#[ignore = "runs inside a test host"]
fn what_happened_before_the_watch_is_reported_by_the_journal() {
    run(async {
        sh("systemctl start a b sig unclean exit0 oneshot sock.socket aliased; systemctl start oneshotfail").await;
        sh("kill -9 $(systemctl show -P MainPID a); systemctl stop b; systemctl stop sig").await;
        sh("kill -TERM $(systemctl show -P MainPID unclean); systemctl start limit; sleep 1.5").await;
        let mut watch = Watch::start(&[
            "a",
            "b",
            "sig",
            "unclean",
            "exit0",
            "oneshot",
            "limit",
            "sock",
            "r",
            "nickname",
            "oneshotfail",
            "masked",
            "nosuch",
        ])
        .await;
        let crash = watch.until_down("a", Intent::Crash).await;
        assert!(matches!(
            crash.state,
            TargetState::Down {
                cause: Cause::Killed { signal: 9, .. },
                ..
            }
        ));
        watch.until_down("b", Intent::OperatorStop).await;
        // It ended `failed`, and was stopped all the same.
        watch.until_down("sig", Intent::OperatorStop).await;
        watch.until_down("unclean", Intent::Crash).await;
        watch.until_down("exit0", Intent::CleanExit).await;
        watch.until_down("oneshot", Intent::NotApplicable).await;
        watch.until_down("oneshotfail", Intent::OneshotFailed).await;
        watch.until_down("sock", Intent::NotApplicable).await;
        let limit = watch.until_down("limit", Intent::Crash).await;
        assert_eq!(limit.supervisor, sentinel_engine::Supervisor::GaveUp);
        // Never started: nobody missed it.
        watch.until_down("r", Intent::OperatorStop).await;
        let unusable = |seen: &sentinel_engine::Observation| matches!(seen.state, TargetState::Unusable(_));
        watch.until("masked", "unusable", unusable).await;
        watch.until("nosuch", "unusable", unusable).await;

        // An alias is the unit it stands for.
        watch.until_running("nickname").await;
        sh("systemctl kill -s KILL aliased").await;
        watch.until_down("nickname", Intent::Crash).await;
    });
}

#[test]
#[ignore = "runs inside a test host"]
fn reload_and_reexec_are_no_incident() {
    run(async {
        sh("systemctl start a b r r0 unclean").await;
        let mut watch = Watch::start(&["a", "b", "r", "r0", "unclean"]).await;
        for command in ["systemctl daemon-reload", "systemctl daemon-reexec"] {
            for _ in 0..3 {
                watch.quiet().await;
                watch.forget();
                sh(command).await;
                watch.quiet().await;
                for (unit, reported) in &watch.reported {
                    assert_eq!(reported.len(), 1, "{command} made news of `{unit}`: {reported:?}");
                }
            }
            sh("kill -9 $(systemctl show -P MainPID a)").await;
            watch.until_down("a", Intent::Crash).await;
            sh("systemctl stop unclean").await;
            watch.until_down("unclean", Intent::OperatorStop).await;
            sh("systemctl start a unclean").await;
            watch.until_running("a").await;
            watch.until_running("unclean").await;
        }
        // What a reload changed is known at the next crash.
        sh("mkdir -p /etc/systemd/system/b.service.d; printf '[Service]\\nRestart=always\\nRestartSec=60\\n' >/etc/systemd/system/b.service.d/r.conf; systemctl daemon-reload").await;
        sh("kill -9 $(systemctl show -P MainPID b)").await;
        watch
            .until("b", "about to be restarted", |seen| {
                seen.supervisor == sentinel_engine::Supervisor::Active
            })
            .await;
    });
}

#[test]
#[ignore = "runs inside a test host"]
fn connection_is_back_soon_after_a_restart_of_the_bus() {
    run(async {
        sh("systemctl start a b unclean").await;
        let mut watch = Watch::start(&["a", "b", "unclean"]).await;
        for command in ["systemctl restart dbus", "systemctl kill -s KILL dbus"] {
            watch.forget();
            let lost = Instant::now();
            sh(command).await;
            watch
                .until("a", "no longer observed", |seen| {
                    matches!(seen.state, TargetState::Unknown(_))
                })
                .await;
            watch.until_running("a").await;
            let unobservable = lost.elapsed();
            println!("{command}: blind for at most {unobservable:?}");
            assert!(unobservable < UNOBSERVABLE_MAX, "{command}: blind for {unobservable:?}");
            watch.until_running("b").await;
            watch.until_running("unclean").await;
        }

        // systemctl of root speaks to PID 1 itself, so things happen while the bus is away.
        let lost = Instant::now();
        sh("kill -9 $(systemctl show -P MainPID dbus) $(systemctl show -P MainPID a); systemctl stop unclean").await;
        watch.until_down("a", Intent::Crash).await;
        watch.until_down("unclean", Intent::OperatorStop).await;
        watch.until_running("b").await;
        assert!(lost.elapsed() < UNOBSERVABLE_MAX, "blind for {:?}", lost.elapsed());
        assert_eq!(property("a", "ActiveState").await, "failed");
    });
}

#[test]
#[ignore = "runs inside a test host"]
fn the_set_of_units_can_change() {
    run(async {
        sh("systemctl start a b").await;
        let mut watch = Watch::start(&["a"]).await;
        let running = watch.until_running("a").await;
        assert!(running.age.is_some());
        watch.systemd.watch(watched(&["a", "b"]));
        watch.until_running("b").await;
        sh("systemctl stop b").await;
        watch.until_down("b", Intent::OperatorStop).await;
        assert_eq!(watch.reported["a"].len(), 1, "{:?}", watch.reported["a"]);

        watch.systemd.watch(watched(&["a"]));
        watch.quiet().await;
        watch.forget();
        sh("systemctl start b; systemctl stop a").await;
        watch.until_down("a", Intent::OperatorStop).await;
        watch.quiet().await;
        assert_eq!(watch.reported["b"].len(), 1, "it is not watched any more");
    });
}

#[test]
#[ignore = "runs inside a test host"]
fn a_shutdown_is_announced() {
    run(async {
        sh("systemctl start a").await;
        let mut watch = Watch::start(&["a"]).await;
        // An inhibitor holds the shutdown up for its five seconds, long enough to see it announced.
        sh("systemd-inhibit --what=shutdown --mode=delay sleep 10 >/dev/null 2>&1 & sleep .3; systemctl poweroff")
            .await;
        let bound = Instant::now() + super::BOUND;
        while !watch.shutdown {
            match tokio::time::timeout_at(bound, watch.events.recv()).await {
                Ok(Some(event)) => watch.take(event),
                _ => panic!("the shutdown was not announced"),
            }
        }
    });
}

#[test]
#[ignore = "runs inside a test host"]
fn forged_signals_are_not_believed() {
    run(async {
        sh("systemctl start a").await;
        let mut watch = Watch::start(&["a"]).await;
        let forger = zbus::Connection::system().await.expect("there is a bus");
        let names = forger
            .call_method(
                Some("org.freedesktop.DBus"),
                "/org/freedesktop/DBus",
                Some("org.freedesktop.DBus"),
                "ListNames",
                &(),
            )
            .await
            .expect("the bus answers");
        let names: (Vec<String>,) = names.body().deserialize().expect("names");
        let unit = "/org/freedesktop/systemd1/unit/a_2eservice";
        for name in names.0.iter().filter(|name| name.starts_with(':')) {
            let state = std::collections::HashMap::from([("ActiveState", zbus::Variant::from("failed"))]);
            let changed = zbus::Message::signal(unit, "org.freedesktop.DBus.Properties", "PropertiesChanged")
                .destination(name.as_str())
                .build(&("org.freedesktop.systemd1.Unit", state, Vec::<&str>::new()));
            let shutdown = zbus::Message::signal(
                "/org/freedesktop/login1",
                "org.freedesktop.login1.Manager",
                "PrepareForShutdown",
            )
            .destination(name.as_str())
            .build(&(true,));
            for message in [changed, shutdown] {
                forger.send(&message.expect("a message")).await.expect("sent");
            }
        }
        watch.quiet().await;
        assert_eq!(watch.reported["a"].len(), 1, "{:?}", watch.reported["a"]);
        assert!(!watch.shutdown);
    });
}
