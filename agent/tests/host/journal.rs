//! What the host's own tools report the agent: journalctl, its catalog, and systemctl status.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::harness::Lab;
use crate::receiver::PARROT;

const NEVER_AGAIN: &str = "ExecStart=/bin/sh -c 'test ! -e /var/tmp/broken && exec sleep infinity'";

/// Installs the message catalog, as the package does.
fn install_catalog(lab: &Lab) {
    let catalog = include_bytes!("../../../systemd/sentinel.catalog");
    lab.host.write("/usr/lib/systemd/catalog/sentinel.catalog", catalog);
    lab.host.sh("journalctl --update-catalog");
}

/// The entries that match, oldest first.
fn entries(lab: &Lab, matches: &str) -> Vec<Value> {
    let text = lab
        .host
        .sh(&format!("journalctl -u sentinel {matches} -o json --all --no-pager"));
    text.lines()
        .map(|line| serde_json::from_str(line).expect("an entry"))
        .collect()
}

#[test]
fn the_journal_has_fields_numbers_and_explanations() {
    let config = "[services.shop]\nunit = \"shop\"\nrecovery = { burst = 1 }\n";
    let lab = Lab::new(&[("shop", NEVER_AGAIN)], config);
    install_catalog(&lab);
    lab.await_state("shop", "healthy");
    lab.host.sh("touch /var/tmp/broken");
    lab.kill("shop");
    lab.await_log(&["event=gave_up"]);

    let died = entries(&lab, "SENTINEL_SERVICE=shop SENTINEL_EVENT=died");
    let died = died.first().expect("it died");
    assert_eq!(died["SENTINEL_CAUSE"], "killed by signal KILL");
    assert_eq!(died["SENTINEL_UNIT"], "shop.service");
    assert_eq!(died["PRIORITY"], "4");
    assert_eq!(died["SYSLOG_IDENTIFIER"], "sentinel");
    assert!(
        died["MESSAGE"].as_str().is_some_and(|line| !line.contains("unit=")),
        "{died:#}"
    );
    let gave_up = entries(&lab, "SENTINEL_UNIT=shop.service SENTINEL_EVENT=gave_up");
    assert_eq!(gave_up[0]["PRIORITY"], "3");
    assert_eq!(gave_up[0]["SENTINEL_INCIDENT"], "1");
    let id = gave_up[0]["MESSAGE_ID"].as_str().expect("a number").to_owned();

    // Field by field, as the documentation has it.
    let verbose = lab
        .host
        .sh("journalctl -u sentinel SENTINEL_SERVICE=shop -o verbose --no-pager");
    assert!(verbose.contains("    SENTINEL_EVENT=restart\n"), "{verbose}");
    // Explained, with the name of the service, and nothing left to be filled in.
    let explained = lab.host.sh("journalctl -x -u sentinel --no-pager");
    for text in [
        "Subject: Sentinel gave up on shop; manual action needed",
        "    sentinel restart shop",
        "Subject: shop is down",
    ] {
        assert!(explained.contains(text), "`{text}` is not in\n{explained}");
    }
    assert!(!explained.contains("@SENTINEL"), "{explained}");
    let found = lab.host.sh(&format!("journalctl --no-pager -o cat MESSAGE_ID={id}"));
    assert!(found.contains("event=gave_up"), "{found}");

    // systemd takes the catalog whole: every number of ours is known to it.
    let catalog = include_str!("../../../systemd/sentinel.catalog");
    let ids: Vec<&str> = catalog.lines().filter_map(|line| line.strip_prefix("-- ")).collect();
    let listed = lab
        .host
        .sh(&format!("journalctl --list-catalog {} --no-pager", ids.join(" ")));
    assert_eq!(listed.lines().count(), ids.len(), "{listed}");
    assert!(listed.lines().all(|line| line.contains("Sentinel: ")), "{listed}");
    let dumped = lab.host.sh(&format!("journalctl --dump-catalog {id} --no-pager"));
    assert!(
        dumped.contains("Support: https://github.com/sentinel-agent/sentinel/issues"),
        "{dumped}"
    );
}

#[test]
fn systemctl_status_reports_the_state_in_one_line() {
    let lab = Lab::new(
        &[("shop", NEVER_AGAIN), ("db", "ExecStart=/bin/sleep infinity")],
        "[services.shop]\nunit = \"shop\"\nrecovery = { burst = 2 }\n[services.db]\nunit = \"db\"\n",
    );
    let shows = |text: &str| {
        lab.wait(&format!("the status is `{text}`"), || lab.status_text().contains(text));
    };
    shows("2 services: 2 healthy");
    let status = lab.host.sh("systemctl status sentinel --no-pager");
    assert!(status.contains("Status: \"2 services: 2 healthy\""), "{status}");

    lab.host.sh("touch /var/tmp/broken");
    lab.kill("shop");
    shows("2 services: 1 healthy, shop down (gave up, manual action needed)");
    lab.host.sh("systemctl stop db");
    shows("1 stopped");

    // A configuration that is wrong is an event of its own kind, and the status says so.
    lab.host.sh("systemctl stop sentinel");
    lab.host
        .write("/etc/sentinel/conf.d/x.toml", b"[services.x]\nunti = \"x\"\n");
    lab.host.sh("systemctl start --no-block sentinel");
    shows("does not start: ");
    lab.wait("the journal has the reason", || {
        let refused = entries(&lab, "SENTINEL_EVENT=config_refused");
        refused.first().is_some_and(|entry| {
            entry["PRIORITY"] == "3"
                && entry["SENTINEL_REASON"]
                    .as_str()
                    .is_some_and(|text| text.contains("x.toml:2"))
        })
    });
}

#[test]
fn the_journal_has_no_secret() {
    let shop = [("shop", "ExecStart=/bin/sleep infinity")];
    let lab = Lab::new(&shop, "[services.shop]\nunit = \"shop\"\n");
    let mut parrot = lab.run_inside("receiver::repeat_what_is_reported");
    let secrets: [String; 10] = std::array::from_fn(|n| format!("T0psecret{n}abcdefghijkl"));
    let [path, query, header, signing, slack, bot, token, password, pin, beat] = &secrets;
    let config = format!(
        "[alerts]\nnotify_after = \"0s\"\ngroup_wait = \"0s\"\n\
         [receivers.web.webhook]\nurl = \"http://{PARROT}/{path}?key={query}\"\nsecret = \"{signing}\"\n\
         headers = {{ X-Token = \"{header}\" }}\n\
         [receivers.chat.slack]\nwebhook_url = \"http://{PARROT}/services/{slack}\"\n\
         [receivers.bot.slack]\ntoken = \"xoxb-{bot}\"\nchannel = \"C1\"\napi_url = \"http://{PARROT}/api/\"\n\
         [receivers.am.alertmanager]\nurls = [\"http://{PARROT}/\"]\ntoken = \"{token}\"\n\
         [receivers.am-too.alertmanager]\nurls = [\"http://{PARROT}/\"]\nuser = \"me\"\npassword = \"{password}\"\n\
         [receivers.pager.command]\nargv = [\"/bin/sh\", \"-c\", \"env >&2; exit 75\"]\nenv = {{ PIN = \"{pin}\" }}\n\
         [heartbeat]\nurl = \"http://{PARROT}/{beat}\"\ninterval = \"5s\"\n"
    );
    lab.host.write("/etc/sentinel/conf.d/secrets.toml", config.as_bytes());
    // As much as there can be, also of what libraries say.
    lab.host.write(
        "/etc/systemd/system/sentinel.service.d/trace.conf",
        b"[Service]\nEnvironment=SENTINEL_LOG=trace\n",
    );
    lab.host.sh("systemctl daemon-reload && systemctl restart sentinel");
    lab.await_state("shop", "healthy");
    lab.kill("shop");
    for receiver in ["web", "chat", "bot", "am", "am-too", "pager"] {
        lab.wait(&format!("{receiver} fails"), || {
            !entries(&lab, &format!("SENTINEL_RECEIVER={receiver} SENTINEL_INCIDENT=1")).is_empty()
        });
    }
    lab.host.sh("systemctl stop sentinel");
    // Every field of every entry, those of systemd about the agent as well.
    let journal = lab.host.sh("journalctl -o export --all --no-pager");
    assert!(
        journal.contains("[redacted]"),
        "what was repeated is there, without the secrets"
    );
    let login = STANDARD.encode(format!("me:{password}"));
    for secret in secrets.iter().chain([&login]) {
        let line = journal.lines().find(|line| line.contains(secret.as_str()));
        assert_eq!(line, None, "{secret}");
    }
    let _ = parrot.kill();
    let _ = parrot.wait();
}
