//! What a service wrote before it failed becomes part of its incident, and of what is reported.

use serde_json::Value;

use crate::harness::Lab;

/// Says how often it has run, in colour and with a secret, and goes on.
const TALKER: &str = "ExecStart=/bin/sh -c 'echo run $(wc -l </var/tmp/shop.starts); \\
    printf \"\\\\033[31mcannot open /data, password=hunter2\\\\033[0m\\\\n\" >&2; exec sleep infinity'";

/// What is known of its log. How the host was is another matter, and changes from run to run.
fn evidence(lab: &Lab, incident: u64) -> Vec<Value> {
    let incident = lab.incident(incident);
    let pieces = incident["evidence"].as_array().expect("a list");
    let of_log = pieces.iter().filter(|piece| piece["title"] == "its last log lines");
    of_log.cloned().collect()
}

#[test]
fn what_it_last_said_is_reported_by_the_agents_own_user() {
    let lab = Lab::new(
        &[("shop", TALKER)],
        "[alerts]\nnotify_after = \"0s\"\ngroup_wait = \"0s\"\n[services.shop]\nunit = \"shop\"\nmode = \"observe\"\n",
    );
    lab.host.confine_agent();
    lab.host.sh("systemctl restart sentinel");
    lab.await_state("shop", "healthy");
    lab.kill("shop");
    lab.wait("evidence", || {
        !lab.incidents().is_empty() && !evidence(&lab, 1).is_empty()
    });
    let piece = evidence(&lab, 1).remove(0);
    assert_eq!(
        piece["text"], "run 1\ncannot open /data, password=[redacted]",
        "{piece:#}"
    );
    let story = lab.host.sh("sentinel incidents 1");
    assert!(
        story.contains("\n  run 1\n  cannot open /data, password=[redacted]\n"),
        "{story}"
    );

    // Whatever is sent from then on has it, also by the agent that comes after this one.
    lab.host.sh("systemctl restart sentinel");
    lab.wait("the next agent", || !lab.state("shop").is_empty());
    lab.host.sh("systemctl start shop");
    lab.wait("the end is told", || {
        lab.received_kinds().last().is_some_and(|kind| kind == "resolved")
    });
    let (_, resolved) = lab.received().pop().expect("a message");
    let reported = resolved["data"]["evidence"].as_array().expect("a list");
    assert!(
        reported
            .iter()
            .any(|reported| reported["title"] == "its last log lines" && reported["text"] == piece["text"]),
        "{resolved:#}"
    );

    // Without the group that may read the journal that is said instead.
    lab.host.write(
        "/etc/systemd/system/sentinel.service.d/no-journal.conf",
        b"[Service]\nSupplementaryGroups=\n",
    );
    lab.host.sh("systemctl daemon-reload && systemctl restart sentinel");
    lab.await_state("shop", "healthy");
    lab.kill("shop");
    lab.wait("why there is none", || {
        lab.incidents().len() == 2 && !evidence(&lab, 2).is_empty()
    });
    let missing = evidence(&lab, 2).remove(0);
    assert_eq!(missing["missing"], true, "{missing:#}");
    let why = missing["text"].as_str().expect("text");
    assert!(why.starts_with("journalctl: ") && why.contains("permission"), "{why}");
}

#[test]
fn a_first_message_that_waits_for_company_goes_with_what_was_found_meanwhile() {
    // Longer than a busy host takes to read a log, and no more than the test waits for a message.
    let lab = Lab::new(
        &[("shop", TALKER)],
        "[alerts]\nnotify_after = \"0s\"\ngroup_wait = \"10s\"\n[services.shop]\nunit = \"shop\"\nmode = \"observe\"\n",
    );
    lab.await_state("shop", "healthy");
    lab.kill("shop");
    lab.await_messages(1);
    let (_, fired) = lab.received().remove(0);
    assert_eq!(fired["data"]["kind"], "fired", "{fired:#}");
    let reported = fired["data"]["evidence"].as_array().expect("a list");
    let log = reported.iter().find(|piece| piece["title"] == "its last log lines");
    let log = log.unwrap_or_else(|| panic!("no log in {fired:#}"));
    assert_eq!(log["text"], "run 1\ncannot open /data, password=[redacted]");
}

#[test]
fn each_attempt_is_judged_by_what_its_own_run_said() {
    // Ends at once, but not the first time.
    let unit = "ExecStart=/bin/sh -c 'n=$(wc -l </var/tmp/shop.starts); echo run $n; test $n = 1 && exec sleep infinity; exit 3'";
    let lab = Lab::new(
        &[("shop", unit)],
        "[services.shop]\nunit = \"shop\"\nrecovery = { burst = 2, backoff = \"3s\", backoff_max = \"3s\" }\n",
    );
    lab.await_state("shop", "healthy");
    lab.kill("shop");
    let texts = || -> Vec<String> {
        let pieces = evidence(&lab, 1).into_iter();
        pieces
            .filter_map(|piece| piece["text"].as_str().map(str::to_owned))
            .collect()
    };
    // On a host that is busy enough the journal may be late for one of the two attempts.
    lab.wait("what the first run and an attempt said", || {
        let texts = if lab.incidents().is_empty() {
            Vec::new()
        } else {
            texts()
        };
        let said = |run: &str| texts.iter().any(|text| text == run);
        said("run 1") && (said("run 2") || said("run 3"))
    });
    let texts = texts();
    assert!(
        texts.iter().all(|text| text.lines().count() == 1),
        "runs are mixed: {texts:?}"
    );
}

#[test]
fn the_agents_own_restart_does_not_hide_what_was_said_before_it() {
    // It hangs; when it is stopped it says much, and so does the run that follows, in a journal of its own.
    let unit = "LogNamespace=shop\nTimeoutStopSec=5s\n\
                ExecStart=/bin/sh -c 'chatter() { for line in $(seq 300); do echo $1; done; }; \
                trap \"chatter stopping; exit 0\" TERM; \
                if test -e /run/hangs; then chatter up; else echo lost the database; fi; \
                while :; do sleep 0.05; done'";
    let lab = Lab::new(
        &[("shop", unit)],
        "[services.shop]\nunit = \"shop\"\ncommand = [\"/usr/bin/test\", \"!\", \"-e\", \"/run/hangs\"]\n",
    );
    lab.host.confine_agent();
    lab.host.sh("systemctl restart sentinel");
    lab.await_state("shop", "healthy");
    lab.host.sh("touch /run/hangs");
    lab.wait("it was restarted, and its log read", || {
        lab.starts("shop") > 1 && !lab.incidents().is_empty() && !evidence(&lab, 1).is_empty()
    });
    let first = evidence(&lab, 1).remove(0);
    assert_eq!(first["missing"], false, "{first:#}");
    let text = first["text"].as_str().expect("text");
    // What it said when it was stopped only fills up.
    assert!(text.starts_with("lost the database"), "{first:#}");
    assert!(text.lines().skip(1).all(|line| line == "stopping"), "{first:#}");
}

#[test]
fn a_program_that_cannot_be_executed_is_reported_by_whoever_tried() {
    let lab = Lab::new(
        &[("shop", "ExecStart=/usr/local/bin/shop")],
        "[services.shop]\nunit = \"shop\"\nrecovery = { burst = 1 }\n",
    );
    lab.host.confine_agent();
    lab.host.sh("systemctl restart sentinel");
    lab.host.sh(
        "cp /bin/sleep /usr/local/bin/shop && sed -i 's,bin/shop,bin/shop infinity,' /etc/systemd/system/shop.service
                 systemctl daemon-reload && systemctl start shop",
    );
    lab.await_state("shop", "healthy");
    // Before it could be started at all it was another incident, unless the agent was away for so long.
    let before = lab.incidents().len();
    lab.host.sh("rm /usr/local/bin/shop");
    lab.kill("shop");
    lab.wait("why", || {
        let incidents = lab.incidents();
        incidents.len() > before
            && evidence(&lab, incidents[before]["id"].as_u64().expect("a number"))
                .iter()
                .any(|piece| piece["text"].to_string().contains("/usr/local/bin/shop"))
    });
}

/// Answers every request, until it stops accepting: then it hangs for good.
const HANGS: &str = r#"ExecStartPre=/bin/rm -f /run/hang
ExecStart=/usr/bin/perl -MIO::Socket -e ' \
    my $$s = IO::Socket::INET->new(LocalAddr => "127.0.0.1:8080", Listen => 9, ReuseAddr => 1); \
    while (! -e "/run/hang") { my $$c = $$s->accept; while (<$$c>) { last unless /\\S/ } print $$c "HTTP/1.0 200 OK\\r\\n\\r\\n" } \
    sleep'"#;

#[test]
fn a_service_that_accepts_no_connections_is_distinguished_from_one_that_answers_wrongly() {
    let lab = Lab::new(
        &[("shop", HANGS)],
        "[services.shop]\nunit = \"shop\"\ninterval = \"1s\"\ntimeout = \"300ms\"\n\
         http = \"http://127.0.0.1:8080/\"\n",
    );
    lab.host.confine_agent();
    lab.host.sh("systemctl restart sentinel");
    lab.await_state("shop", "healthy");
    lab.host.sh("touch /run/hang");
    lab.wait("it is healed", || {
        let incidents = lab.incidents();
        incidents
            .first()
            .is_some_and(|incident| !incident["closed_at"].is_null())
    });
    let incident = lab.incident(1);
    let pieces = incident["evidence"].as_array().expect("a list");
    let of_sockets = pieces.iter().find(|piece| piece["title"] == "its sockets at that time");
    let text = of_sockets.and_then(|piece| piece["text"].as_str()).unwrap_or_default();
    assert!(
        text.starts_with("port 8080: ") && text.ends_with(" connections wait to be accepted"),
        "{incident:#}"
    );
}

/// Makes the package that is named, and installs it.
const INSTALL: &str = r#"install_version() {
    mkdir -p /var/tmp/package/DEBIAN
    printf 'Package: libshop\nVersion: %s\nArchitecture: all\nMaintainer: A B <a@b.example>\nDescription: x\n' "$1" \
        >/var/tmp/package/DEBIAN/control
    dpkg-deb --build /var/tmp/package /var/tmp/package.deb && dpkg --install /var/tmp/package.deb
}"#;

#[test]
fn a_package_that_was_upgraded_right_before_is_reported() {
    let lab = Lab::new(
        &[("shop", "ExecStart=/bin/sleep infinity")],
        "[services.shop]\nunit = \"shop\"\nmode = \"observe\"\n",
    );
    lab.host.confine_agent();
    lab.host.sh("systemctl restart sentinel");
    lab.await_state("shop", "healthy");
    lab.host
        .sh(&format!("{INSTALL}\ninstall_version 1.2-1 && install_version 1.3-1"));
    lab.kill("shop");
    lab.wait("the upgrade", || {
        !lab.incidents().is_empty()
            && lab
                .host
                .sh("sentinel incidents 1")
                .contains(" before: libshop was upgraded from 1.2-1 to 1.3-1")
    });
}

#[test]
fn a_full_disk_is_reported_beside_what_failed() {
    let lab = Lab::new(
        &[("shop", "ExecStart=/bin/sleep infinity")],
        "[services.shop]\nunit = \"shop\"\nmode = \"observe\"\n",
    );
    lab.await_state("shop", "healthy");
    // The host's /tmp is a file system of its own, in memory.
    lab.host
        .sh("mount -o remount,size=16M /tmp && ! dd if=/dev/zero of=/tmp/full bs=1M");
    lab.kill("shop");
    lab.wait("the full disk", || {
        !lab.incidents().is_empty()
            && lab
                .host
                .sh("sentinel incidents 1")
                .contains("disk: /tmp is full, 0 bytes of 16.0 MiB available")
    });
}
