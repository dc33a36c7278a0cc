//! `[X-Sentinel]`: services that are defined where their unit is.

use crate::harness::Lab;

const UNIT: &str = "/etc/systemd/system/shop.service";
const DROP_IN: &str = "/etc/systemd/system/shop.service.d/health.conf";

/// A unit with a section of these lines.
fn with_section(lines: &str) -> String {
    format!("[Service]\nExecStart=/usr/bin/demo-service --listen 127.0.0.1:8080 --chaos\n[X-Sentinel]\n{lines}")
}

fn reload(lab: &Lab) {
    lab.host.sh("systemctl daemon-reload");
}

/// What `sentinel check` says.
fn check(lab: &Lab) -> String {
    lab.host.sh("sentinel check")
}

#[test]
fn a_unit_with_a_section_is_healed_and_changes_with_its_drop_ins() {
    let lab = Lab::new(
        &[("other", "ExecStart=/bin/sleep infinity")],
        "[services.other]\nunit = \"other\"\n[alerts]\ngroup_wait = \"0s\"\n",
    );
    lab.await_state("other", "healthy");
    assert_eq!(lab.state("shop"), "");
    let section = "# beside its unit\nhttp = \\\n  http://127.0.0.1:8080/health\nafter=other\nrecovery.burst=3\n";
    lab.host.write(UNIT, with_section(section).as_bytes());
    // systemd itself has nothing against it.
    let verified = lab.host.try_sh("systemd-analyze verify --man=no shop.service");
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert!(verified.status.success() && !said.contains("shop.service"), "{said}");
    reload(&lab);
    lab.host.sh("systemctl start shop");
    lab.await_state("shop", "healthy");
    assert!(check(&lab).contains("shop.service"), "{}", check(&lab));

    // Healed, when it dies and when it hangs.
    lab.kill("shop");
    lab.await_messages(1);
    lab.await_state("shop", "healthy");
    let before = lab.main_pid("shop");
    lab.host.sh("curl -sf -X POST http://127.0.0.1:8080/chaos/hang");
    lab.await_messages(2);
    lab.await_state("shop", "healthy");
    assert_ne!(lab.main_pid("shop"), before);

    // An operator's drop-in has the last word; nothing is restarted for that.
    let before = lab.main_pid("shop");
    lab.host.write(DROP_IN, b"[X-Sentinel]\nmode=observe\nname=store\n");
    reload(&lab);
    lab.await_state("store", "healthy");
    assert_eq!(lab.state("shop"), "");
    assert_eq!(lab.status("store")["mode"], "observe");
    assert_eq!(lab.main_pid("shop"), before);
    lab.host.write(DROP_IN, b"[X-Sentinel]\nenabled=no\n");
    reload(&lab);
    lab.wait("it is switched off", || lab.state("store").is_empty());

    // A file of the configuration wins over both.
    lab.host.write(DROP_IN, b"[X-Sentinel]\nfall=5\n");
    lab.host.write(
        "/etc/sentinel/conf.d/shop.toml",
        b"[services.shop]\nmode = \"observe\"\n",
    );
    reload(&lab);
    lab.await_state("shop", "healthy");
    lab.host.sh("systemctl reload sentinel");
    lab.wait("the file wins", || lab.status("shop")["mode"] == "observe");

    // Masked, or gone, it is no service any more.
    lab.host
        .sh("systemctl stop shop && rm -r /etc/systemd/system/shop.service* /etc/sentinel/conf.d/shop.toml && systemctl daemon-reload && systemctl reload sentinel");
    lab.wait("it is gone", || lab.state("shop").is_empty());
    assert_eq!(lab.state("other"), "healthy");
}

#[test]
fn what_a_section_heals_is_not_proposed_again_and_a_file_that_ends_that_is_named() {
    let lab = Lab::new(
        &[("worker", "ExecStart=/bin/sleep infinity")],
        "[services.hook]\ntcp = \"127.0.0.1:9100\"\n",
    );
    lab.host
        .write(UNIT, with_section("http=http://127.0.0.1:8080/health\n").as_bytes());
    reload(&lab);
    lab.host.sh("systemctl start shop");
    lab.await_state("shop", "healthy");

    // The README's own line.
    lab.host.sh(
        "mkdir -p /etc/sentinel/conf.d && sentinel discover | tee /etc/sentinel/conf.d/found.toml && sentinel check",
    );
    lab.host.sh("systemctl reload sentinel");
    lab.await_state("worker", "healthy");
    assert_eq!(lab.status("worker")["mode"], "observe");
    assert_eq!(lab.status("shop")["mode"], "heal", "{}", lab.status("shop"));

    // Whoever says so by hand is informed what that does, before and after.
    let file = "/etc/sentinel/conf.d/shop.toml";
    lab.host.write(file, b"[services.shop]\nfall = 5\nmode = \"observe\"\n");
    let checked = check(&lab);
    let warning = format!(
        "warning: {file}:3:8: services.shop.mode: the running agent heals this service; with these files it is only observed"
    );
    assert!(checked.lines().any(|line| line == warning), "{checked}");
    let reloaded = lab.host.sh("sentinel reload");
    let warning = format!("warning: `shop` was healed and is only observed from now on: {file}:3:8");
    assert!(reloaded.lines().any(|line| line == warning), "{reloaded}");
    lab.await_log(&["event=healing_off", "service=shop", &format!("place={file}:3:8")]);
    // It is reported once: by now nothing changes.
    assert!(!check(&lab).contains("the running agent heals"), "{}", check(&lab));
    assert!(!lab.host.sh("sentinel reload").contains("was healed"));
}

#[test]
fn a_wrong_section_is_reported_with_its_place_and_harms_no_other() {
    let lab = Lab::new(
        &[],
        "[services.nothing]\ntcp = \"127.0.0.1:9100\"\n[alerts]\ngroup_wait = \"0s\"\n",
    );
    lab.host.write(
        UNIT,
        with_section("http=http://127.0.0.1:8080/health\nintervall=5s\n").as_bytes(),
    );
    let tmpl = "[Service]\nExecStart=/bin/sleep infinity\n[X-Sentinel]\nfall=2\n";
    lab.host.write("/run/systemd/system/tmpl@.service", tmpl.as_bytes());
    lab.host.write("/etc/systemd/system/open.service", tmpl.as_bytes());
    lab.host.sh("chmod 0666 /etc/systemd/system/open.service");
    reload(&lab);
    lab.host.sh("systemctl start tmpl@a shop");
    // An instance of a template counts once it runs, and stays a service when it is stopped.
    lab.host.write(
        "/run/systemd/system/tmpl@.service.d/name.conf",
        b"[X-Sentinel]\nname=tmpl-a\n",
    );
    reload(&lab);
    lab.await_state("tmpl-a", "healthy");
    // Each instance has a name and a question of its own, when the template says so.
    let each = "[Service]\nExecStart=/bin/sleep infinity\n[X-Sentinel]\nname=each-%i\ncommand=/usr/bin/test %i = 1\n";
    lab.host.write("/run/systemd/system/each@.service", each.as_bytes());
    reload(&lab);
    lab.host.sh("systemctl start each@1 each@2");
    lab.await_state("each-1", "healthy");
    lab.wait("the other instance fails its own question", || {
        lab.incidents().iter().any(|incident| incident["service"] == "each-2")
    });
    assert!(lab.incidents().iter().all(|incident| incident["service"] != "each-1"));
    lab.host
        .sh("systemctl stop each@1 each@2 && rm /run/systemd/system/each@.service");

    let place = "/etc/systemd/system/shop.service:5";
    let wrong = format!("{place}: intervall: unknown key; did you mean `interval`?");
    let open = "/etc/systemd/system/open.service: its [X-Sentinel] section does not count: \
                others than root may write the file (mode 0666)";
    lab.await_log(&["event=discovered_rejected", "service=shop", "intervall", "level=error"]);
    lab.await_log(&["event=discovered_rejected", "service=open", "mode 0666"]);
    let checked = check(&lab);
    assert!(checked.contains(&format!("not watched: {wrong}")), "{checked}");
    assert!(checked.contains(&format!("not watched: {open}")), "{checked}");
    let status = lab.host.sh("sentinel status --json");
    let status: serde_json::Value = serde_json::from_str(&status).expect("it is JSON");
    let refused = status["rejected"].as_array().expect("a list");
    assert_eq!(refused.len(), 2, "{status:#}");
    assert_eq!(lab.state("shop"), "");
    assert_eq!(lab.state("nothing"), "healthy");
    lab.wait("people are told", || {
        lab.received()
            .iter()
            .any(|(_, body)| body.to_string().contains("intervall"))
    });

    // Put right, both are taken up; no receiver is notified again of what was reported.
    lab.host.sh(
        "chmod 0644 /etc/systemd/system/open.service && sed -i s/intervall/interval/ /etc/systemd/system/shop.service",
    );
    reload(&lab);
    lab.await_state("shop", "healthy");
    lab.host.sh("systemctl start open");
    lab.await_state("open", "healthy");
    lab.host.sh("systemctl stop tmpl@a");
    lab.await_state("tmpl-a", "stopped");
    reload(&lab);
    assert_eq!(lab.state("tmpl-a"), "stopped");
    lab.host.sh("systemctl start tmpl@a");
    lab.await_state("tmpl-a", "healthy");
}

/// Reading a unit makes systemd load it, and say so to everyone who listens: to the reader as well.
#[test]
fn a_thousand_units_with_a_section_are_read() {
    let lab = Lab::new(
        &[("other", "ExecStart=/bin/sleep infinity")],
        "[services.other]\nunit = \"other\"\n",
    );
    lab.await_state("other", "healthy");
    lab.host.sh("cd /etc/systemd/system && for n in $(seq 1000); do \
         printf '[Service]\\nExecStart=/bin/sleep infinity\\n[X-Sentinel]\\nfall=5\\n' >many$n.service; done; \
         systemctl daemon-reload");
    let watched = || {
        let status = lab.host.try_sh("sentinel status --json").stdout;
        let status: serde_json::Value = serde_json::from_slice(&status).unwrap_or_default();
        status["services"].as_array().map_or(0, Vec::len)
    };
    lab.wait("all of them are watched", || watched() == 1001);
}
