//! What an operator stopped stays stopped.

use crate::harness::Lab;

#[test]
fn stopped_unit_is_never_started_again_however_it_ends() {
    let units = [
        ("clean", "ExecStart=/bin/sleep infinity"),
        // Ends `failed`, with exit code 143.
        (
            "dirty",
            "ExecStart=/bin/sh -c 'trap \"exit 143\" TERM; while :; do sleep 0.1; done'\nSuccessExitStatus=",
        ),
    ];
    let config = "[services.clean]\nunit = \"clean\"\n[services.dirty]\nunit = \"dirty\"\n\
                  [services.canary]\nunit = \"canary\"\n";
    let lab = Lab::new(
        &[units[0], units[1], ("canary", "ExecStart=/bin/sleep infinity")],
        config,
    );
    for (unit, _) in units {
        lab.await_state(unit, "healthy");
        lab.host.sh(&format!("systemctl stop {unit}"));
        lab.await_state(unit, "stopped");
    }
    lab.await_state("canary", "healthy");
    assert_eq!(lab.host.sh("systemctl is-failed dirty"), "failed");
    // The agent is awake and acts, only not on these.
    lab.kill("canary");
    assert_eq!(lab.await_messages(1), ["healed"]);
    lab.host.sh("systemctl restart sentinel");
    for (unit, _) in units {
        lab.await_state(unit, "stopped");
        assert_eq!(lab.starts(unit), 1);
    }
    assert_eq!(lab.incidents().len(), 1);
}

#[test]
fn what_is_taken_away_is_no_incident() {
    let config = "[services.canary]\nunit = \"canary\"\n";
    let lab = Lab::new(&[("canary", "ExecStart=/bin/sleep infinity")], config);
    // Where packages have theirs.
    for unit in ["gone", "masked"] {
        let path = format!("/usr/lib/systemd/system/{unit}.service");
        lab.host.write(&path, b"[Service]\nExecStart=/bin/sleep infinity\n");
    }
    // A package's service that requires its socket, as many do.
    let path = "/usr/lib/systemd/system/socketed.service";
    lab.host.write(
        path,
        b"[Unit]\nRequires=socketed.socket\nAfter=socketed.socket\n[Service]\nExecStart=/bin/sleep infinity\n",
    );
    let path = "/usr/lib/systemd/system/socketed.socket";
    lab.host.write(path, b"[Socket]\nListenStream=127.0.0.1:9178\n");
    lab.host.write(
        "/etc/sentinel/conf.d/more.toml",
        b"[services.gone]\nunit = \"gone\"\n[services.masked]\nunit = \"masked\"\n\
          [services.socketed]\nunit = \"socketed\"\n",
    );
    lab.host
        .sh("systemctl daemon-reload && systemctl start gone masked socketed && systemctl reload sentinel");
    for unit in ["gone", "masked", "socketed", "canary"] {
        lab.await_state(unit, "healthy");
    }
    // As an operator does it, and as the removal of a package does.
    lab.host.sh("systemctl mask --now masked");
    lab.host
        .sh("systemctl stop gone && rm /usr/lib/systemd/system/gone.service && systemctl daemon-reload");
    lab.host
        .sh("systemctl stop socketed.socket && rm /usr/lib/systemd/system/socketed.* && systemctl daemon-reload");
    for unit in ["gone", "masked", "socketed"] {
        lab.await_state(unit, "stopped");
    }
    // The agent is awake and acts, only not on these.
    lab.kill("canary");
    assert_eq!(lab.await_messages(1), ["healed"]);
    for unit in ["gone", "masked", "socketed"] {
        assert_eq!(lab.state(unit), "stopped");
    }
    let incidents = lab.incidents();
    assert!(
        incidents.iter().all(|incident| incident["service"] == "canary"),
        "{incidents:#?}"
    );
}

#[test]
fn stop_during_backoff_restart_or_verification_wins() {
    let config = r#"
[alerts]
notify_after = "0s"
group_wait = "0s"
[services.backoff]
unit = "backoff"
recovery = { backoff = "1h", backoff_max = "1h" }
[services.restart]
unit = "restart"
[services.verify]
unit = "verify"
recovery = { min_uptime = "50s", verify = "59s" }
"#;
    let units = [
        (
            "backoff",
            "ExecStart=/bin/sh -c 'test ! -e /var/tmp/broken && exec sleep infinity'",
        ),
        // A start takes until somebody writes into the pipe, once it exists.
        (
            "restart",
            "ExecStartPre=/bin/sh -c 'test ! -e /var/tmp/gate || cat /var/tmp/gate'\nExecStart=/bin/sleep infinity",
        ),
        ("verify", "ExecStart=/bin/sleep infinity"),
    ];
    let lab = Lab::new(&units, config);
    for (unit, _) in units {
        lab.await_state(unit, "healthy");
    }
    lab.host.sh("touch /var/tmp/broken; mkfifo /var/tmp/gate");

    for (unit, state) in [
        ("backoff", "backoff"),
        ("restart", "restarting"),
        ("verify", "verifying"),
    ] {
        lab.kill(unit);
        lab.await_state(unit, state);
        lab.host.sh(&format!("systemctl stop {unit}"));
        lab.await_state(unit, "stopped");
        assert!(!lab.host.try_sh(&format!("systemctl is-active {unit}")).status.success());
        assert_eq!(lab.starts(unit), 2, "{unit} was started once more, before the stop");
    }
    for incident in lab.incidents() {
        assert_eq!(incident["resolution"], "stopped", "{incident:#}");
    }
}
