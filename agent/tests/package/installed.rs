//! What is there after `apt install sentinel`.

use crate::built::OLD;
use crate::lab::{CONFIG, Lab};

/// The most that `systemd-analyze security` may hold against the unit, of 10.
const EXPOSURE: f64 = 1.5;

#[test]
fn the_agent_runs_as_shipped_and_harms_nothing() {
    let lab = Lab::with(OLD);
    let host = &lab.host;
    lab.await_active();
    assert_eq!(host.sh("systemctl is-enabled sentinel"), "enabled");
    let pid = lab.property("MainPID");
    assert_eq!(host.sh(&format!("ps -o user= -p {pid}")), "sentinel");
    assert_eq!(lab.property("NRestarts"), "0");
    host.sh("sentinel check && sentinel status && sentinel health");
    assert_eq!(
        host.sh("stat -c '%U:%G %a' /etc/sentinel/sentinel.toml /etc/sentinel/conf.d /var/lib/sentinel /run/sentinel"),
        "root:sentinel 640\nroot:sentinel 750\nsentinel:sentinel 700\nsentinel:sentinel 750"
    );
    let nobody = host.try_sh("runuser -u nobody -- cat /etc/sentinel/sentinel.toml");
    assert!(!nobody.status.success(), "others cannot read the configuration");

    let report = host.sh("systemd-analyze security --no-pager sentinel.service");
    let last = report.lines().last().expect("it ends with the sum");
    let exposure = last
        .split_once("sentinel.service: ")
        .and_then(|(_, sum)| sum.split(' ').next()?.parse::<f64>().ok());
    println!("{last}");
    assert!(exposure.expect("the last line has the sum") <= EXPOSURE, "{report}");
}

#[test]
fn from_its_sandbox_it_sees_and_heals() {
    let lab = Lab::watching(OLD);
    let host = &lab.host;
    // The bus, polkit and HTTP.
    host.sh("systemctl kill --signal KILL nginx");
    lab.wait("the incident is over", || {
        lab.incidents()
            .first()
            .is_some_and(|incident| incident["resolution"].is_string())
    });
    assert_eq!(host.sh("systemctl is-active nginx"), "active");
    lab.await_state("web", "healthy");
    // The journal, which alone knows who ended a unit while nobody watched.
    host.sh("systemctl stop sentinel && systemctl stop shop && systemctl start sentinel");
    lab.await_state("shop", "stopped");
    assert_eq!(host.sh("systemctl show -P ActiveState shop"), "inactive");
}

#[test]
fn a_secret_is_handed_over_by_systemd() {
    let lab = Lab::watching(OLD);
    let host = &lab.host;
    // As on a host that is no container, where what systemd mounts for a unit is seen by that unit.
    host.sh("mount --make-rshared /");
    // Root's alone: the agent could not read it by itself.
    host.write("/root/hook", b"http://127.0.0.1:9100/\n");
    host.sh("chmod 0600 /root/hook");
    host.write(
        "/etc/systemd/system/sentinel.service.d/credential.conf",
        b"[Service]\nLoadCredential=hook:/root/hook\n",
    );
    let url = "url = \"http://127.0.0.1:9100/\"";
    assert!(CONFIG.contains(url), "what is replaced is there");
    let config = CONFIG.replace(url, "url_file = \"credential:hook\"");
    host.write("/etc/sentinel/sentinel.toml", config.as_bytes());
    host.sh("systemctl daemon-reload && systemctl restart sentinel && systemctl kill --signal KILL shop");
    lab.wait("the receiver is told", || {
        let journal = host.sh("journalctl --no-pager -o cat -u receiver");
        journal
            .lines()
            .any(|line| line.contains("shop") && line.contains("resolved"))
    });
    let log = host.sh("journalctl --no-pager -o verbose -u sentinel");
    assert!(!log.contains("127.0.0.1:9100"), "the secret is not in the log");
}

#[test]
fn its_manual_is_there() {
    let lab = Lab::with(OLD);
    let host = &lab.host;
    host.sh("apt-get install -y demo-service");
    let pages = host.sh("dpkg -L sentinel demo-service | grep /usr/share/man/.*gz");
    for page in [
        "man1/sentinel.1",
        "man1/sentinel-alerts-route.1",
        "man5/sentinel.toml.5",
        "man1/demo-service.1",
    ] {
        assert!(pages.contains(page), "{page} is not among\n{pages}");
    }
    for page in pages.lines() {
        let warnings = host.sh(&format!("man -E UTF-8 --warnings -l {page} 2>&1 >/dev/null"));
        assert_eq!(warnings, "", "{page}");
    }
    let text = host.sh("MANWIDTH=200 man sentinel.toml | col -b");
    for key in ["[services.NAME]", "notify_after = a duration", "default: 30s"] {
        assert!(text.contains(key), "{key} is not in\n{text}");
    }
}
