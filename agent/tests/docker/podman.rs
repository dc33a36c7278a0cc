//! Podman's API in the place of Docker's: its containers are shown and alerted, and none is restarted.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::host::{Host, wait_until};

const BOUND: Duration = Duration::from_secs(60);

const CONFIG: &str = "[agent]\nlog = \"logfmt\"\nhost = \"off\"\ndocker = \"unix:///run/podman/podman.sock\"\n\
    [recovery]\ntokens = 1000\nstorm_services = 1000\nboot_grace = \"0s\"\n\
    [alerts]\nnotify_after = \"1s\"\n[defaults]\nrecovery = { backoff = \"500ms\", min_uptime = \"500ms\" }\n\
    [receivers.file]\ncommand = { argv = [\"/usr/bin/tee\", \"-a\", \"/var/tmp/received\"] }\n\
    [services.crashes]\ncontainer = \"crashes\"\n[services.stopped]\ncontainer = \"stopped\"\n\
    [services.loops]\ncontainer = \"loops\"\n[services.removed]\ncontainer = \"removed\"\n";

/// Boots a host with podman's API, and an image of busybox there.
fn host_with_podman() -> Host {
    let host = Host::start_variant("podman", &["--cap-add", "MKNOD"]);
    host.sh("mkdir -p /root/tiny/bin && cd /root/tiny && cp /bin/busybox bin/ && \
             for tool in sh sleep true false echo cat; do ln -s busybox bin/$tool; done && \
             tar -c . | podman import - tiny:1 && systemctl start podman.socket");
    host
}

#[test]
fn containers_of_podman_are_shown_and_alerted_and_none_is_restarted() {
    let host = host_with_podman();
    host.install(Path::new(env!("CARGO_BIN_EXE_sentinel")), "/usr/bin/sentinel");
    host.write("/etc/sentinel/sentinel.toml", CONFIG.as_bytes());
    // Ends with an error of its own when it is let.
    let waits = "sh -c 'while ! test -e /go; do sleep 0.1; done; exit 3'";
    host.sh(&format!(
        "podman run -d --network none --name crashes tiny:1 {waits}; \
         podman run -d --network none --name stopped --stop-timeout 1 tiny:1 sleep 1001; \
         podman run -d --network none --name removed --stop-timeout 1 tiny:1 sleep 1002; \
         podman run -d --network none --name loops --restart always tiny:1 sh -c 'sleep 0.2; exit 3'"
    ));
    host.sh("mkdir -p /run/sentinel && systemd-run --unit sentinel sentinel run");
    let log = || host.sh("journalctl --no-pager --unit sentinel --output cat");
    let field = |service: &str, field: &str| {
        let output = host.try_sh(&format!("sentinel status {service} --json"));
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        answer["services"][0][field].clone()
    };
    let wait = |what: &str, holds: &dyn Fn() -> bool| wait_until(&format!("{what}\n{}", log()), BOUND, holds);
    for service in ["crashes", "stopped", "removed"] {
        wait("it is healthy", &|| field(service, "state") == "healthy");
    }
    wait("it says what it is", &|| log().contains("podman: alerts only"));
    let checked = host.sh("sentinel check 2>&1");
    assert!(checked.contains("podman: alerts only"), "{checked}");
    let doctor = host.try_sh("sentinel doctor 2>&1");
    let doctor = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(doctor.contains("podman answers"), "{doctor}");

    // What it says of an end does not tell who asked for it, so that is alerted too: unless `podman stop` was quicker than the
    // monitor of the container, and says so itself.
    host.sh("podman exec crashes sh -c 'echo >/go'; podman stop stopped; podman rm -f -t 0 removed");
    let held = |service: &str, hold: &str| field(service, "state") == "held" && field(service, "hold")["kind"] == hold;
    wait("it is held", &|| held("crashes", "refused"));
    let podman_reports_a_stop = || {
        !host
            .sh("podman events --stream=false --since 10m --filter container=stopped --filter event=stop")
            .is_empty()
    };
    wait("it is held, or known to be stopped", &|| {
        held("stopped", "unclear") || (field("stopped", "state") == "stopped" && podman_reports_a_stop())
    });
    wait("it is gone", &|| field("removed", "state") == "stopped");
    wait("the crash is told", &|| {
        let received = host.sh("cat /var/tmp/received 2>/dev/null || true");
        received.contains("crashes is down: exited with code 3")
    });
    assert!(
        log().contains("name the unit of its quadlet with `unit =`"),
        "{}",
        log()
    );
    // Never started by anybody, and never out of sight.
    let running = host.sh("podman ps --format '{{.Names}}'");
    assert!(
        !running.contains("crashes") && !running.contains("stopped"),
        "{running}"
    );
    assert!(!log().contains("event=connection_lost"), "{}", log());
}
