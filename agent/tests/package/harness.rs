//! A host that knows the repository, and what can be asked of it.

use std::process::Output;
use std::time::Duration;

use serde_json::Value;

use crate::built::BUILT;
use crate::host::{Host, wait_until};

/// Longer than anything here takes on a busy machine; the watchdog alone takes half a minute.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

/// What the agent is asked to watch. Quick, so that tests do not wait for defaults.
pub(crate) const CONFIG: &str = r#"
[agent]
name = "lab"

[defaults]
interval = "300ms"
timeout = "300ms"
recovery = { backoff = "500ms", jitter = 0.0, verify = "30s", min_uptime = "500ms" }

# Tests restart more than a host should.
[recovery]
tokens = 1000
boot_grace = "0s"

[alerts]
notify_after = "0s"
group_wait = "0s"

[receivers.hook]
webhook = { url = "http://127.0.0.1:9100/" }

[services.shop]
unit = "shop"

[services.web]
unit = "nginx"
http = "http://127.0.0.1/"
"#;

/// A unit whose start waits for as long as there is a gate, and leaves a line each time.
const SHOP: &[u8] = b"[Service]
ExecStartPre=/bin/sh -c 'echo start >>/var/tmp/shop.starts; test ! -e /var/tmp/gate || cat /var/tmp/gate'
ExecStart=/bin/sleep infinity
";

/// Stands in for whoever is notified: it writes what it gets into the journal.
const RECEIVER: &[u8] = b"[Service]
ExecStart=/usr/bin/demo-service receive --listen 127.0.0.1:9100
";

/// A host under test.
pub(crate) struct Lab {
    pub(crate) host: Host,
}

impl Lab {
    /// Boots a host that can install the packages, and nothing else: it has no other archive.
    pub(crate) fn new() -> Self {
        let repository = BUILT.repository.display();
        let host = Host::start_variant("package", &["--volume", &format!("{repository}:{repository}:ro")]);
        host.sh(&format!(
            "rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*
             ln -s {} /etc/apt/sources.list.d/
             apt-get update",
            BUILT.sources.display()
        ));
        Self { host }
    }

    /// Boots a host with a version of the agent installed, and at rest.
    pub(crate) fn with(version: &str) -> Self {
        let lab = Self::new();
        lab.install(version);
        lab
    }

    /// The same, with what [`CONFIG`] names running, and the agent watching it.
    pub(crate) fn watching(version: &str) -> Self {
        let lab = Self::with(version);
        let host = &lab.host;
        // By its version: apt takes packages of one source along to the newest, and this would upgrade the agent.
        host.sh(&format!(
            "apt-get install -y demo-service={version} && systemctl disable --now demo-service"
        ));
        let installed = host.sh("dpkg-query -f '${Version}' -W sentinel");
        assert_eq!(installed, version, "the agent is still the one asked for");
        host.write("/etc/systemd/system/shop.service", SHOP);
        host.write("/etc/systemd/system/receiver.service", RECEIVER);
        host.sh("systemctl daemon-reload && systemctl start shop receiver nginx");
        host.write("/etc/sentinel/sentinel.toml", CONFIG.as_bytes());
        host.sh("systemctl reload sentinel");
        lab.await_state("shop", "healthy");
        lab.await_state("web", "healthy");
        // polkit sees a changed rule a little later.
        let pid = lab.property("MainPID");
        for unit in ["shop", "nginx"] {
            let allowed = format!(
                "pkcheck --action-id org.freedesktop.systemd1.manage-units --process {pid} \
                 --detail unit {unit}.service --detail verb start"
            );
            lab.wait("polkit allows what is configured", || {
                lab.host.try_sh(&allowed).status.success()
            });
        }
        lab
    }

    /// Installs a version by apt, as an operator does; answers what apt and the maintainer scripts said.
    pub(crate) fn install(&self, version: &str) -> String {
        self.host.sh(&format!("apt-get install -y sentinel={version} 2>&1"))
    }

    /// Waits until `holds`; says what the agent logged if it never does.
    pub(crate) fn wait(&self, what: &str, holds: impl FnMut() -> bool) {
        struct Report<'a>(&'a Host);
        impl Drop for Report<'_> {
            fn drop(&mut self) {
                if std::thread::panicking() {
                    let log = self
                        .0
                        .try_sh("systemctl status --no-pager sentinel; journalctl --no-pager -u sentinel");
                    eprintln!("{}", String::from_utf8_lossy(&log.stdout));
                }
            }
        }
        let _report = Report(&self.host);
        wait_until(what, PATIENCE, holds);
    }

    pub(crate) fn await_state(&self, service: &str, state: &str) {
        self.wait(&format!("`{service}` is {state}"), || self.state(service) == state);
    }

    /// The state of a service, or nothing while no agent answers.
    pub(crate) fn state(&self, service: &str) -> String {
        let answer = self.ask(&format!("sentinel status {service} --json"));
        answer["services"][0]["state"].as_str().unwrap_or_default().to_owned()
    }

    /// Every incident, newest first.
    pub(crate) fn incidents(&self) -> Vec<Value> {
        let answer = self.ask("sentinel incidents --json");
        answer["incidents"].as_array().cloned().unwrap_or_default()
    }

    fn ask(&self, command: &str) -> Value {
        serde_json::from_slice(&self.host.try_sh(command).stdout).unwrap_or_default()
    }

    /// What systemd says of the agent's unit.
    pub(crate) fn property(&self, name: &str) -> String {
        self.host.sh(&format!("systemctl show -P {name} sentinel"))
    }

    /// Waits until the agent is up.
    pub(crate) fn await_active(&self) {
        self.wait("the agent runs", || self.property("ActiveState") == "active");
    }
}

/// Everything a command said.
pub(crate) fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}
