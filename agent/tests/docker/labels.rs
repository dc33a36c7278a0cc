//! The whole agent and containers that ask to be watched by their labels, in a host with an Engine of its own.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::daemon::host_with_engine;
use crate::host::{Host, wait_until};

const BOUND: Duration = Duration::from_secs(60);

const CONFIG: &str = "[agent]\nlog = \"logfmt\"\nhost = \"off\"\n\
    [recovery]\ntokens = 1000\nstorm_services = 1000\nboot_grace = \"0s\"\n\
    [defaults]\ninterval = \"1s\"\ntimeout = \"1s\"\n\
    recovery = { backoff = \"500ms\", verify = \"20s\", min_uptime = \"500ms\", burst = 1 }\n\
    [receivers.file]\ncommand = { argv = [\"/usr/bin/tee\", \"-a\", \"/var/tmp/received\"] }\n\
    [services.muted]\nenabled = false\n[services.web]\nrise = 3\n";

const RUN: &str = "docker run -d --network none --stop-timeout 1 --label sentinel.enable=true";

struct Lab(Host);

impl Lab {
    fn status(&self) -> Value {
        let output = self.0.try_sh("sentinel status --json");
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    fn service(&self, name: &str) -> Value {
        let status = self.status();
        let services = status["services"].as_array().cloned().unwrap_or_default();
        services
            .into_iter()
            .find(|service| service["name"] == name)
            .unwrap_or_default()
    }

    fn log(&self) -> String {
        self.0.sh("journalctl --no-pager --unit sentinel --output cat")
    }

    fn wait(&self, what: &str, holds: impl Fn() -> bool) {
        let start = std::time::Instant::now();
        while !holds() {
            assert!(start.elapsed() < BOUND, "not within {BOUND:?}: {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn wait_for(&self, name: &str, state: &str) {
        self.wait(&format!("`{name}` is {state}"), || self.service(name)["state"] == state);
    }
}

#[test]
fn containers_come_and_go_with_their_labels() {
    let lab = Lab(host_with_engine());
    let host = &lab.0;
    host.install(Path::new(env!("CARGO_BIN_EXE_sentinel")), "/usr/bin/sentinel");
    host.write("/etc/sentinel/sentinel.toml", CONFIG.as_bytes());
    host.sh("mkdir -p /run/sentinel && systemd-run --unit sentinel sentinel run");
    wait_until("the agent answers", BOUND, || lab.status()["host"].is_string());

    // It appears, with where it comes from, and is healed.
    let web = format!("{RUN} --name web --label sentinel.interval=2s tiny:1 sleep 1001");
    host.sh(&web);
    lab.wait_for("web", "healthy");
    assert_eq!(
        (&lab.service("web")["origin"], &lab.service("web")["origin_place"]),
        (&"label".into(), &"container web".into())
    );
    host.sh("pkill -9 -fx 'sleep 1001'");
    lab.wait("it was healed", || lab.service("web")["recoveries_total"] == 1);
    lab.wait_for("web", "healthy");
    assert_eq!(lab.service("web")["attempts_left"], 0);

    // It is gone with its container, and returns without a fresh budget.
    host.sh("docker rm -f web");
    lab.wait("it is gone", || lab.service("web").is_null());
    host.sh(&web);
    lab.wait_for("web", "healthy");
    assert_eq!(
        (
            &lab.service("web")["attempts_left"],
            &lab.service("web")["recoveries_total"]
        ),
        (&0.into(), &1.into())
    );

    // One Compose service is one service; a file switches another off; a changed label counts.
    let compose = "--label com.docker.compose.project=shop --label com.docker.compose.service=api";
    for number in [1, 2] {
        host.sh(&format!("{RUN} {compose} --name shop-api-{number} tiny:1 sleep 1002"));
    }
    host.sh(&format!("{RUN} --name muted tiny:1 sleep 1003"));
    host.sh(&format!(
        "docker rm -f web && {RUN} --name web --label sentinel.name=front tiny:1 sleep 1001"
    ));
    lab.wait("both are there", || {
        let names: Vec<Value> = lab.status()["services"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|one| one["name"].clone())
            .collect();
        names == ["api", "front"]
    });

    // A wrong label harms nobody else, and is reported once.
    host.sh(&format!(
        "{RUN} --name bad --label sentinel.intervall=2s tiny:1 sleep 1004"
    ));
    lab.wait("it is refused", || {
        !lab.status()["rejected"].as_array().is_none_or(Vec::is_empty)
    });
    let rejected = lab.status()["rejected"][0].clone();
    assert_eq!(
        rejected["place"], "container bad, label sentinel.intervall",
        "{rejected}"
    );
    assert_eq!(rejected["suggestion"], "sentinel.interval", "{rejected}");
    lab.wait_for("front", "healthy");
    let received = || host.sh("cat /var/tmp/received 2>/dev/null || true");
    lab.wait("receivers are told", || {
        received().contains("did you mean `sentinel.interval`?")
    });
    host.sh(&format!("{RUN} --name more tiny:1 sleep 1005"));
    lab.wait_for("more", "healthy");
    assert_eq!(
        received().matches("\"type\":\"alerts.notice\"").count(),
        1,
        "{}",
        received()
    );
    assert_eq!(
        lab.log().matches("event=discovered_rejected").count(),
        1,
        "{}",
        lab.log()
    );
    let check = host.sh("sentinel check");
    assert!(
        check.contains("not watched: container bad, label sentinel.intervall: unknown label"),
        "{check}"
    );
    assert!(check.contains("label (container more)"), "{check}");

    // Without a connection nothing is removed.
    host.sh("docker rm -f bad");
    lab.wait("what was wrong is gone", || {
        lab.status()["rejected"].as_array().is_some_and(Vec::is_empty)
    });
    host.sh("systemctl stop docker.socket docker.service");
    lab.wait("the connection is lost", || lab.service("front")["state"] != "healthy");
    assert!(!lab.service("api").is_null() && !lab.service("more").is_null());
}
