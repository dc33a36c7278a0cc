//! Who starts a unit, and what the watcher makes of it.

use std::time::Duration;

use sentinel_engine::{ActionKind, ActionResult, Intent, StartedBy, TargetState};
use sentinel_systemd::MayAffect;
use tokio::sync::oneshot;

use super::{Watch, run, sh};

/// A database, what requires it, what is part of it, what systemd restarts, and what a socket starts.
const UNITS: &str = r#"
unit() { printf '[Unit]\nStartLimitIntervalSec=0\n%s\n' "$2" > "/etc/systemd/system/$1"; }
unit st-db.service '[Service]
ExecStart=/bin/sleep infinity'
unit st-app.service '[Unit]
Requires=st-db.service
After=st-db.service
[Service]
ExecStart=/bin/sleep infinity'
unit st-part.service '[Unit]
PartOf=st-db.service
[Service]
ExecStart=/bin/sleep infinity'
unit st-r.service '[Service]
ExecStart=/bin/sleep infinity
Restart=always
RestartSec=100ms'
unit st-sock.socket '[Socket]
ListenStream=127.0.0.1:9177'
unit st-sock.service '[Service]
ExecStart=/bin/sleep infinity'
systemctl daemon-reload
systemctl start st-app st-part st-r st-sock.socket st-sock
"#;

async fn begun(watch: &mut Watch, unit: &str, done: &str) -> StartedBy {
    let before = watch.run_id(unit);
    sh(done).await;
    let seen = watch
        .until(unit, "running again", |seen| {
            seen.state == TargetState::Running && seen.run != before
        })
        .await;
    seen.started_by
}

#[test]
#[ignore = "runs inside a test host"]
fn who_starts_a_unit_is_reported() {
    run(async {
        sh(UNITS).await;
        let units = ["st-db", "st-app", "st-part", "st-r", "st-sock"];
        let mut watch = Watch::start(&units).await;
        for unit in units {
            assert_eq!(watch.until_running(unit).await.started_by, StartedBy::Unknown, "{unit}");
        }
        let kill = |unit: &str| format!("kill -9 $(systemctl show -P MainPID {unit})");
        for (unit, done, by) in [
            ("st-app", "systemctl restart st-app".to_owned(), StartedBy::Other),
            ("st-app", "systemctl restart st-db".to_owned(), StartedBy::Dependency),
            ("st-part", "systemctl restart st-db".to_owned(), StartedBy::Dependency),
            ("st-db", "systemctl restart st-db".to_owned(), StartedBy::Other),
            (
                "st-db",
                "systemctl stop st-db; sleep 0.5; systemctl start st-app".to_owned(),
                StartedBy::Dependency,
            ),
            (
                "st-app",
                "systemctl stop st-db; sleep 0.5; systemctl start st-app".to_owned(),
                StartedBy::Other,
            ),
            ("st-r", kill("st-r"), StartedBy::Supervisor),
            ("st-r", kill("st-r"), StartedBy::Supervisor),
            ("st-r", "systemctl restart st-r".to_owned(), StartedBy::Other),
            ("st-sock", "systemctl restart st-sock".to_owned(), StartedBy::Other),
            (
                "st-sock",
                format!(
                    "{}; until [ $(systemctl show -P ActiveState st-sock) = failed ]; do :; done; \
                     bash -c 'exec 3<>/dev/tcp/127.0.0.1/9177'",
                    kill("st-sock")
                ),
                StartedBy::Trigger,
            ),
        ] {
            watch.quiet().await;
            assert_eq!(begun(&mut watch, unit, &done).await, by, "{unit}: {done}");
        }
        // The agent's own restart is nobody else's.
        watch.quiet().await;
        let before = watch.run_id("st-app");
        let (nothing, limit) = (MayAffect::Only(&[]), Some(Duration::from_secs(10)));
        let result = watch
            .systemd
            .restart(
                "st-app.service",
                ActionKind::Restart,
                before.as_ref(),
                nothing,
                limit,
                oneshot::channel().0,
            )
            .await;
        assert_eq!(result, ActionResult::Done);
        let seen = watch
            .until("st-app", "restarted", |seen| {
                seen.state == TargetState::Running && seen.run != before
            })
            .await;
        assert_eq!(seen.started_by, StartedBy::Unknown);
        sh("systemctl stop st-r").await;
        watch.until_down("st-r", Intent::OperatorStop).await;
    });
}
