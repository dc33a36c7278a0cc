//! What is there after `apt install sentinel`.

use crate::built::{NEW, OLD};
use crate::harness::{CONFIG, Lab, said};

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
        host.sh("stat -c '%U:%G %a' /etc/sentinel/sentinel.toml /etc/sentinel/conf.d /etc/sentinel/secrets /var/lib/sentinel \
                 /run/sentinel"),
        "root:sentinel 640\nroot:sentinel 2750\nroot:sentinel-secrets 2750\nsentinel:sentinel 700\nsentinel:sentinel 750"
    );
    // An administrator with a strict umask makes files that the agent can read.
    host.sh("umask 027 && echo '[defaults]' >/etc/sentinel/conf.d/mine.toml");
    assert_eq!(
        host.sh("stat -c '%U:%G %a' /etc/sentinel/conf.d/mine.toml"),
        "root:sentinel 640"
    );
    // One that it cannot read is an error also for root, who could.
    host.sh("install -m 600 -g root /dev/null /etc/sentinel/conf.d/closed.toml");
    let check = host.try_sh("sentinel check");
    assert_eq!(check.status.code(), Some(1), "{}", said(&check));
    for words in [
        "conf.d/closed.toml: cannot be read: permission denied",
        "as seen by `sentinel`",
    ] {
        assert!(said(&check).contains(words), "{}", said(&check));
    }
    host.sh("rm /etc/sentinel/conf.d/closed.toml && sentinel check");
    // The control group reads the configuration, so no secret should stand there.
    host.sh(
        "printf '[receivers.chat]\nslack = { webhook_url = \"https://hooks.example.com/x\" }\n' \
             >/etc/sentinel/conf.d/chat.toml",
    );
    let check = host.sh("sentinel check");
    assert!(
        check.contains(
            "conf.d/chat.toml:2:25: receivers.chat.slack.webhook_url: stands in a file that members of the group `sentinel` may \
             read"
        ),
        "{check}"
    );
    host.sh("umask 027; echo https://hooks.example.com/x >/etc/sentinel/secrets/chat
             printf '[receivers.chat]\nslack = { webhook_url_file = \"/etc/sentinel/secrets/chat\" }\n' \
             >/etc/sentinel/conf.d/chat.toml");
    let check = host.sh("sentinel check");
    assert!(!check.contains("receivers.chat"), "{check}");
    host.sh("rm /etc/sentinel/conf.d/chat.toml /etc/sentinel/secrets/chat");
    // Whoever cannot see with the agent's eyes is not told to fix what is right.
    let doctor = host.try_sh("runuser -u nobody -- sentinel doctor");
    assert_eq!(doctor.status.code(), Some(1), "{}", said(&doctor));
    assert!(said(&doctor).contains("`sudo sentinel doctor`"), "{}", said(&doctor));
    assert!(!said(&doctor).contains("chown"), "{}", said(&doctor));
    let other = host.try_sh("runuser -u nobody -- cat /etc/sentinel/sentinel.toml");
    assert!(!other.status.success(), "others cannot read the configuration");

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
    // polkit's rule is root's to renew: whoever only has the agent reload is notified.
    host.write(
        "/etc/sentinel/conf.d/more.toml",
        b"[services.receiver]\nunit = \"receiver\"\n",
    );
    let reloaded = host.sh("sentinel reload");
    assert!(
        reloaded.contains(
            "polkit's rule was not renewed: `receiver.service` may not be restarted; `sudo systemctl reload sentinel`"
        ),
        "{reloaded}"
    );
    host.sh("rm /etc/sentinel/conf.d/more.toml && sentinel reload");
    host.write(
        "/etc/sentinel/conf.d/more.toml",
        b"[services.receiver]\nunit = \"receiver\"\n",
    );
    host.sh("systemctl reload sentinel");
    let log = host.sh("journalctl --no-pager -o cat -u sentinel _COMM=sentinel");
    assert_eq!(log.matches("polkit's rule was not renewed").count(), 0, "{log}");
    host.sh("rm /etc/sentinel/conf.d/more.toml && systemctl reload sentinel");
    // The journal, which alone knows who ended a unit while the agent did not watch.
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

    // What may be restarted follows the configuration as ever, though root is not shown the credential.
    let granted = || host.sh("grep -c '\"receiver.service\"' /etc/polkit-1/rules.d/60-sentinel.rules || true");
    assert_eq!(granted(), "0");
    host.write(
        "/etc/sentinel/conf.d/more.toml",
        b"[services.receiver]\nunit = \"receiver\"\n",
    );
    host.sh("systemctl reload sentinel");
    assert_eq!(granted(), "1");
    lab.await_state("receiver", "healthy");
    // Also while nobody is shown it.
    host.sh("systemctl stop sentinel && rm /etc/sentinel/conf.d/more.toml");
    let rules = said(&host.try_sh("sentinel polkit-rules --install"));
    assert!(
        rules.contains("removed: receiver.service")
            && rules.contains("not read, as the rule does not depend on it: receivers.hook.webhook.url_file"),
        "{rules}"
    );
    assert_eq!(granted(), "0");
    let check = host.sh("sentinel check");
    assert!(
        check.contains("warning: /etc/sentinel/sentinel.toml")
            && check.contains("not looked at: the credential `hook` is only there while systemd runs the agent"),
        "{check}"
    );
    host.sh("systemctl start sentinel");
    lab.await_active();
    let check = host.sh("sentinel check");
    assert!(!check.contains("not looked at"), "{check}");

    // One that was not handed over when the agent started.
    host.write(
        "/etc/sentinel/conf.d/more.toml",
        b"[receivers.more]\nwebhook = { url_file = \"credential:more\" }\n",
    );
    assert!(!host.try_sh("systemctl reload sentinel").status.success());
    let log = host.sh("journalctl --no-pager -o cat -u sentinel");
    assert!(
        log.contains("the credential `more` was not handed over when the agent started: `systemctl edit sentinel`"),
        "{log}"
    );
    host.sh("rm /etc/sentinel/conf.d/more.toml && systemctl reload sentinel");

    lab.install(NEW);
    lab.await_active();
    lab.await_state("shop", "healthy");
    assert_eq!(lab.property("NRestarts"), "0");
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
    for key in [
        "[services.NAME]",
        "notify_after = a duration",
        "default: 30s",
        "UNIT FILES",
        "[X-Sentinel]\n",
    ] {
        assert!(text.contains(key), "{key} is not in\n{text}");
    }
}
