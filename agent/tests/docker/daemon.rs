//! The Engine itself goes down, in a test host with one of its own.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::host::{Host, wait_until};

/// Boots a host with an Engine, and an image of busybox there.
pub fn host_with_engine() -> Host {
    let host = Host::start_variant("docker", &["--cap-add", "MKNOD"]);
    host.sh("systemctl start docker.service");
    host.sh("mkdir -p /root/tiny/bin && cd /root/tiny && cp /bin/busybox bin/ && \
             for tool in sh sleep true false echo cat; do ln -s busybox bin/$tool; done && \
             tar -c . | docker import - tiny:1");
    host
}

fn in_host(name: &str) {
    let host = host_with_engine();
    host.install_tests();
    host.run_test(&format!("daemon::inside::{name}"));
}

#[test]
fn a_daemon_that_is_restarted_stops_nothing_on_purpose() {
    in_host("a_daemon_that_is_restarted_stops_nothing_on_purpose");
}

#[test]
fn what_is_lost_with_a_killed_daemon_is_started_by_docker_or_else_by_the_agent() {
    in_host("what_is_lost_with_a_killed_daemon_is_started_by_docker_or_else_by_the_agent");
}

#[test]
fn with_live_restore_only_what_died_meanwhile_is_missed() {
    in_host("with_live_restore_only_what_died_meanwhile_is_missed");
}

#[test]
fn without_the_engine_systemd_shows_what_runs() {
    in_host("without_the_engine_systemd_shows_what_runs");
}

#[test]
fn while_containerd_is_away_nothing_is_done() {
    in_host("while_containerd_is_away_nothing_is_done");
}

#[test]
fn a_daemon_that_was_stopped_is_not_woken() {
    in_host("a_daemon_that_was_stopped_is_not_woken");
}

/// The whole agent: the daemon is a service like any other, and what it carries waits for it.
#[test]
fn the_incident_of_the_daemon_speaks_for_its_containers() {
    let host = host_with_engine();
    host.install(Path::new(env!("CARGO_BIN_EXE_sentinel")), "/usr/bin/sentinel");
    let mut config = String::from(
        "[agent]\nlog = \"logfmt\"\n[recovery]\ntokens = 1000\nstorm_services = 1000\nboot_grace = \"0s\"\n\
         [defaults]\ninterval = \"1s\"\ntimeout = \"1s\"\n\
         recovery = { backoff = \"500ms\", verify = \"20s\", min_uptime = \"500ms\" }\n\
         [services.engine]\nunit = \"docker.service\"\nmay_affect = [\"*\"]\n",
    );
    for seconds in ["1001", "1002", "1003"] {
        host.sh(&format!(
            "docker run -d --network none --stop-timeout 1 --name c{seconds} tiny:1 sleep {seconds}"
        ));
        let _ = write!(
            config,
            "[services.c{seconds}]\ncontainer = \"c{seconds}\"\nfall = 2\ncommand = [\"/usr/bin/pgrep\", \"-fx\", \"sleep {seconds}\"]\n"
        );
    }
    host.write("/etc/sentinel/sentinel.toml", config.as_bytes());
    // It stays down: nothing can start it until the test lets it.
    host.write(
        "/etc/systemd/system/docker.service.d/test.conf",
        b"[Unit]\nConditionPathExists=\n[Service]\nRestart=no\nExecStartPre=/usr/bin/test ! -e /run/broken\n",
    );
    host.sh("systemctl daemon-reload && mkdir -p /run/sentinel && systemd-run --unit sentinel sentinel run");
    let log = || host.sh("journalctl --no-pager --unit sentinel --output cat");
    let status = |service: &str, field: &str| {
        let output = host.try_sh(&format!("sentinel status {service} --json"));
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        answer["services"][0][field].as_str().unwrap_or_default().to_owned()
    };
    let bound = Duration::from_secs(60);
    let all = ["c1001", "c1002", "c1003"];
    for service in all.iter().chain([&"engine"]) {
        wait_until(&format!("{service} is healthy"), bound, || {
            status(service, "state") == "healthy"
        });
    }

    host.sh("touch /run/broken && kill -9 $(systemctl show -P MainPID docker.service)");
    wait_until("the daemon has an incident", bound, || {
        log().contains("service=engine event=incident_opened")
    });
    host.sh("pkill -9 -fx 'sleep 100[123]'");
    for service in all {
        wait_until(&format!("{service} waits for the daemon\n{}", log()), bound, || {
            status(service, "state") == "suppressed"
        });
    }
    let before = log();
    for service in all {
        assert!(
            !before.contains(&format!("service={service} event=restart")),
            "{before}"
        );
    }
    host.sh("rm /run/broken");
    for service in all.iter().chain([&"engine"]) {
        wait_until(&format!("{service} is healthy again\n{}", log()), bound, || {
            status(service, "state") == "healthy"
        });
    }
}

mod inside {
    use sentinel_engine::{ActionKind, ActionResult};

    use sentinel_config::{ContainerTarget, DockerAddress};
    use sentinel_engine::TargetState;

    use crate::engine::{inspect, must};
    use crate::host::wait_until;
    use crate::watch::{BOUND, Watch, named, watched};

    const RUN: &str = "docker run -d --network none --stop-timeout 1";

    #[test]
    #[ignore = "run inside a test host by the test of the same name"]
    fn a_daemon_that_is_restarted_stops_nothing_on_purpose() {
        for (name, policy) in [("plain", "no"), ("stopped", "no"), ("always", "always")] {
            must(name, &format!("{RUN} --restart {policy} --name $C $I sleep 1000"));
        }
        let watch = Watch::of(named(&["plain", "stopped", "always"]));
        watch.until("always", "running");
        must("stopped", "docker stop $C");
        watch.until("stopped", "operator-stop");
        watch.until("plain", "running");
        let before = watch.run_id("always");

        must("", "systemctl restart docker.service");
        watch.until("plain", "with-daemon");
        watch.until("stopped", "operator-stop");
        watch.until("always", "running");
        assert_ne!(watch.run_id("always"), before);
        assert!(
            !watch.story("plain").contains(&"operator-stop".to_owned()),
            "{:?}",
            watch.story("plain")
        );
        // While the daemon was away nothing was known, and nothing was done.
        assert!(
            watch.story("plain").contains(&"unknown".to_owned()),
            "{:?}",
            watch.story("plain")
        );
    }

    #[test]
    #[ignore = "run inside a test host by the test of the same name"]
    fn while_containerd_is_away_nothing_is_done() {
        let check = "--health-cmd true --health-interval 300ms --health-retries 2";
        must("checked", &format!("{RUN} {check} --name $C $I sleep 1000"));
        must("plain", &format!("{RUN} --name $C $I sleep 1000"));
        let watch = Watch::of(named(&["checked", "plain"]));
        watch.until("checked", "running");
        watch.until("plain", "running");
        let (run, started) = (watch.run_id("plain"), inspect("plain", ".State.StartedAt"));
        must(
            "",
            "mkdir -p /run/systemd/system/containerd.service.d && \
             printf '[Service]\\nRestart=no\\n' >/run/systemd/system/containerd.service.d/test.conf && \
             systemctl daemon-reload && systemctl kill -s KILL --kill-who main containerd.service",
        );
        // Its check says nothing of it.
        watch.until("checked", "containerd-away");
        let refused = watch.act("plain", ActionKind::Restart, run.as_ref());
        assert!(
            matches!(&refused, ActionResult::Unanswered(why) if why.contains("containerd")),
            "{refused:?}"
        );
        assert_eq!(inspect("plain", ".State.StartedAt"), started);
        must("", "systemctl start containerd.service");
        watch.until("checked", "running");
        wait_until("it can be restarted again", BOUND, || {
            watch.act("plain", ActionKind::Restart, run.as_ref()) == ActionResult::Done
        });
    }

    #[test]
    #[ignore = "run inside a test host by the test of the same name"]
    fn what_is_lost_with_a_killed_daemon_is_started_by_docker_or_else_by_the_agent() {
        for (name, policy) in [("plain", "no"), ("unless", "unless-stopped"), ("always", "always")] {
            must(name, &format!("{RUN} --restart {policy} --name $C $I sleep 1000"));
        }
        let watch = Watch::of(named(&["plain", "unless", "always"]));
        for name in ["plain", "unless", "always"] {
            watch.until(name, "running");
        }
        must("", "kill -9 $(systemctl show -P MainPID docker.service)");
        watch.until("plain", "with-daemon");
        watch.until("unless", "with-daemon");
        watch.until("always", "running");
        let lost = watch.run_id("unless");
        assert_eq!(
            watch.act("unless", ActionKind::Start, lost.as_ref()),
            ActionResult::Done
        );
        watch.until("unless", "running");
        assert_eq!(inspect("unless", ".State.Status"), "running");
    }

    #[test]
    #[ignore = "run inside a test host by the test of the same name"]
    fn with_live_restore_only_what_died_meanwhile_is_missed() {
        must(
            "",
            "sed -i 's/{/{\"live-restore\": true,/' /etc/docker/daemon.json && systemctl reload docker.service",
        );
        for name in ["lives", "dies"] {
            must(name, &format!("{RUN} --name $C $I sleep 1000"));
        }
        let watch = Watch::of(named(&["lives", "dies"]));
        watch.until("lives", "running");
        watch.until("dies", "running");
        let before = watch.run_id("lives");
        let pid = inspect("dies", ".State.Pid");

        must("", "systemctl stop docker.socket docker.service");
        watch.until("lives", "unknown");
        must("", &format!("kill -9 {pid}"));
        must("", "systemctl start docker.service");
        watch.until("dies", "with-daemon");
        watch.until("lives", "running");
        assert_eq!(watch.run_id("lives"), before);
    }

    #[test]
    #[ignore = "run inside a test host by the test of the same name"]
    fn without_the_engine_systemd_shows_what_runs() {
        must("seen", &format!("{RUN} --name $C $I sleep 1000"));
        let id = inspect("seen", ".Id");
        // No socket there: as for an agent that may not use Docker.
        let nowhere = DockerAddress::Unix("/run/nowhere.sock".into());
        let mut services = named(&["seen"]);
        services.push(watched("by-id", ContainerTarget::Named(id)));
        let watch = Watch::at(nowhere, services);
        let shown = |service: &str, words: &str| {
            wait_until(
                &format!("{words}: {:?}", watch.last(service)),
                BOUND,
                || matches!(watch.last(service).map(|seen| seen.state), Some(TargetState::Unknown(why)) if why.contains(words)),
            );
        };
        shown("by-id", "systemd shows that it runs, 1 tasks");
        shown("seen", "systemd shows 1 running containers, but no names");
        // It is more than nothing, and not enough to act.
        let target = ContainerTarget::Named("seen".into());
        assert_eq!(watch.act_on(&target, ActionKind::Restart, None).kind(), "outdated");
    }

    #[test]
    #[ignore = "run inside a test host by the test of the same name"]
    fn a_daemon_that_was_stopped_is_not_woken() {
        must("plain", &format!("{RUN} --name $C $I sleep 1000"));
        let watch = Watch::of(named(&["plain"]));
        watch.until("plain", "running");
        // The socket stays, and would start the daemon for whoever connects.
        must(
            "",
            "systemctl stop docker.service 2>/dev/null; systemctl is-active docker.socket",
        );
        let rests = |watch: &Watch| {
            wait_until(
                "the daemon is known to be stopped",
                BOUND,
                || matches!(watch.last("plain").map(|seen| seen.state), Some(TargetState::Unknown(why)) if why.contains("docker.service is stopped")),
            );
        };
        // What runs since is told so at first sight; what ran before, with its next glimpse.
        let fresh = Watch::of(named(&["plain"]));
        rests(&fresh);
        rests(&watch);
        assert_eq!(must("", "systemctl is-active docker.service || true"), "inactive");
        must("", "systemctl start docker.service");
        watch.until("plain", "with-daemon");
    }
}
