//! What the agent's own user may do on a host with polkit: what the configuration asks for, and nothing else.

use std::collections::BTreeMap;
use std::path::Path;

use crate::harness::{Lab, PATIENCE};
use crate::host::{Host, wait_until};

const RULE: &str = "/etc/polkit-1/rules.d/60-sentinel.rules";
const CONFIG: &str = "/etc/sentinel/sentinel.toml";

/// What whoever is asked about is denied with: everybody else could still enter a password.
const DENIED: [&str; 2] = ["Access denied", "Interactive authentication required"];

const SLEEPS: &str = "[Service]\nExecStart=/bin/sleep infinity\n";

/// A host with the program, the user of the agent and another one, and units that run.
fn host(units: &[&str]) -> Host {
    let host = Host::start();
    host.install(Path::new(env!("CARGO_BIN_EXE_sentinel")), "/usr/bin/sentinel");
    host.sh("useradd --system --user-group sentinel; useradd --system --user-group guest");
    for unit in units {
        host.write(&format!("/etc/systemd/system/{unit}"), SLEEPS.as_bytes());
    }
    host.sh("systemctl daemon-reload");
    for unit in units {
        host.sh(&format!("systemctl start -- '{unit}'"));
    }
    host
}

/// Calls a method of the manager, and answers `ok`, `denied`, or what else came back.
fn call(host: &Host, user: &str, method: &str) -> String {
    let manager = "org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager";
    run_as(host, user, &format!("busctl call {manager} {method}"))
}

fn run_as(host: &Host, user: &str, command: &str) -> String {
    let output = host.try_sh(&format!(
        "setpriv --reuid {user} --regid {user} --clear-groups {command}"
    ));
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    match output.status.success() {
        true => "ok".to_owned(),
        false if DENIED.iter().any(|word| said.contains(word)) => "denied".to_owned(),
        false => said,
    }
}

/// Whether polkit lets the user restart the unit. Nothing is restarted: the mode goes with no restart.
fn may(host: &Host, user: &str, unit: &str) -> bool {
    let said = call(host, user, &format!("TryRestartUnit ss '{unit}' isolate"));
    assert!(
        said == "denied" || said.contains("only valid for start"),
        "{unit}: {said}"
    );
    said != "denied"
}

fn install(host: &Host) -> String {
    host.sh("sentinel polkit-rules --install")
}

/// polkit hears of a changed file, and reads it soon.
fn await_permission(host: &Host, user: &str, unit: &str, allowed: bool) {
    wait_until(&format!("`{user}` may restart `{unit}`: {allowed}"), PATIENCE, || {
        may(host, user, unit) == allowed
    });
}

/// Every call of systemd's manager that polkit is asked about, with what the agent's user gets for a unit that is configured.
#[test]
fn listed_units_and_verbs_are_allowed_and_nothing_else() {
    let host = host(&["a.service", "b.service", "watched.service"]);
    host.write(
        CONFIG,
        b"[services.a]\nunit = \"a\"\n[services.watched]\nunit = \"watched\"\nmode = \"observe\"\n\
          [services.off]\nunit = \"b\"\nenabled = false\n",
    );
    for trigger in ["a", "b", "watched"] {
        let socket = format!("[Socket]\nListenStream=/run/{trigger}.sock\n");
        host.write(&format!("/etc/systemd/system/{trigger}.socket"), socket.as_bytes());
        let timer = "[Timer]\nOnBootSec=10h\n";
        host.write(&format!("/etc/systemd/system/{trigger}.timer"), timer.as_bytes());
    }
    // They are wanted, so that systemd keeps them loaded.
    for (kind, target) in [("socket", "sockets.target"), ("timer", "timers.target")] {
        let wants = format!("/etc/systemd/system/{target}.wants");
        host.sh(&format!(
            "mkdir -p {wants}; for unit in a b watched; do ln -s ../$unit.{kind} {wants}/; done"
        ));
    }
    host.sh("systemctl daemon-reload");
    let said = install(&host);
    let granted = "may restart 1 unit, and start 2 sockets, paths and timers that trigger them; wrote ";
    assert!(
        said.contains(granted) && said.contains("added: a.service\nadded: a.socket\nadded: a.timer"),
        "{said}"
    );
    assert_eq!(host.sh(&format!("stat -c '%U %a' {RULE}")), "root 644");
    let said = install(&host);
    assert!(said.contains("unchanged") && !said.contains("added"), "{said}");
    // When it is installed polkit goes by it, too.
    assert!(may(&host, "sentinel", "a.service"));

    let verbs = [
        ("StartUnit ss UNIT fail", "ok"),
        ("TryRestartUnit ss UNIT fail", "ok"),
        ("ResetFailedUnit s UNIT", "ok"),
        ("RestartUnit ss UNIT fail", "denied"),
        ("StopUnit ss UNIT fail", "denied"),
        ("ReloadUnit ss UNIT fail", "denied"),
        ("ReloadOrRestartUnit ss UNIT fail", "denied"),
        ("ReloadOrTryRestartUnit ss UNIT fail", "denied"),
        ("KillUnit ssi UNIT all 9", "denied"),
        ("FreezeUnit s UNIT", "denied"),
        ("CleanUnit sas UNIT 1 all", "denied"),
        ("SetUnitProperties 'sba(sv)' UNIT true 0", "denied"),
    ];
    for (method, expected) in verbs {
        let said = |user: &str, unit: &str| call(&host, user, &method.replace("UNIT", unit));
        assert_eq!(said("sentinel", "a.service"), expected, "{method}");
        for unit in [
            "b.service",
            "watched.service",
            "polkit.service",
            "aXservice.service",
            "none.service",
        ] {
            // Of some calls systemd looks first whether there is something to do them to.
            let said = said("sentinel", unit);
            let is_none = ["not loaded", "not found", "no such"]
                .iter()
                .any(|word| said.to_lowercase().contains(word));
            assert!(said == "denied" || is_none, "{method} {unit}: {said}");
        }
        assert_eq!(said("guest", "a.service"), "denied", "{method} by another user");
        // What triggers a unit that is configured may be started when it has failed; nothing else, and no other's.
        let of_triggers = match method {
            "StartUnit ss UNIT fail" | "ResetFailedUnit s UNIT" => "ok",
            _ => "denied",
        };
        for unit in ["a.socket", "a.timer"] {
            assert_eq!(said("sentinel", unit), of_triggers, "{method} {unit}");
        }
        for unit in ["b.socket", "b.timer", "watched.socket"] {
            let said = said("sentinel", unit);
            assert!(
                said == "denied" || said.contains("not loaded"),
                "{method} {unit}: {said}"
            );
        }
    }
    let others = [
        "ResetFailed",
        "Reload",
        "Reexecute",
        "StartTransientUnit 'ssa(sv)a(sa(sv))' x.service fail 0 0",
        "MaskUnitFiles asbb 1 b.service true true",
        "EnableUnitFiles asbb 1 b.service true true",
        "LinkUnitFiles asbb 1 /var/tmp/x.service true true",
        "SetEnvironment as 1 A=b",
    ];
    // The rule answers NO, so a later rule that lets everybody do everything gives the agent nothing.
    for lax in [false, true] {
        if lax {
            let rule = "polkit.addRule(function () { return polkit.Result.YES; });";
            host.write("/etc/polkit-1/rules.d/90-lax.rules", rule.as_bytes());
            await_permission(&host, "guest", "b.service", true);
        }
        for method in others {
            assert_eq!(call(&host, "sentinel", method), "denied", "{method}, lax: {lax}");
        }
        let systemctl = |words: &str| run_as(&host, "sentinel", &format!("systemctl --no-ask-password {words}"));
        assert_eq!(systemctl("try-restart a"), "ok");
        for words in ["restart a", "stop a", "try-restart b", "daemon-reload", "poweroff"] {
            assert_eq!(systemctl(words), "denied", "{words}, lax: {lax}");
        }
    }
}

/// polkit is asked about the unit itself, whatever name was used; and names are compared, not matched.
#[test]
fn the_rule_follows_the_configuration_and_knows_aliases() {
    let odd = [
        r"odd\x2dname:1.2@x-y.service",
        "oddXx2dname:1.2@x-y.service",
        "web.one.service",
        "webXone.service",
    ];
    let host = host(&["real.service", "a.service", odd[0], odd[1], odd[2], odd[3]]);
    host.sh("ln -s real.service /etc/systemd/system/nick.service; systemctl daemon-reload");
    host.write(CONFIG, b"[services.nick]\nunit = \"nick\"\n");
    install(&host);
    await_permission(&host, "sentinel", "real.service", true);
    assert_eq!(call(&host, "sentinel", "StartUnit ss nick.service fail"), "ok");
    assert!(!may(&host, "sentinel", "a.service"));

    let changed = r#"
[services.a]
unit = "a"
[services.odd]
unit = 'odd\x2dname:1.2@x-y'
[services.dotted]
unit = "web.one"
"#;
    host.write(CONFIG, changed.as_bytes());
    let said = install(&host);
    assert!(
        said.contains("added: a.service") && said.contains("removed: real.service"),
        "{said}"
    );
    for unit in ["a.service", odd[0], odd[2]] {
        await_permission(&host, "sentinel", unit, true);
    }
    for unit in ["real.service", "nick.service", odd[1], odd[3]] {
        assert!(!may(&host, "sentinel", unit), "{unit}");
    }
    // polkit has read each version, and found nothing wrong.
    let log = host.sh("journalctl -u polkit -o cat");
    // Newer ones also name each directory of rules that is not there.
    let mut lines = log
        .lines()
        .filter(|line| !line.contains("Error opening rules directory"));
    assert!(
        !lines.any(|line| line.contains("Error") || line.contains("error")),
        "{log}"
    );

    // Ten thousand services are the most that are allowed.
    let many: Vec<String> = (0..10_000)
        .map(|n| format!("[services.s{n}]\nunit = \"s{n}\"\n"))
        .collect();
    let many = many.concat();
    host.write(CONFIG, many.as_bytes());
    install(&host);
    await_permission(&host, "sentinel", "s9999.service", true);
    assert!(!may(&host, "sentinel", "a.service"));

    host.write(CONFIG, b"[services.web]\ntcp = \"127.0.0.1:80\"\n");
    assert!(install(&host).contains("may restart no unit"));
    await_permission(&host, "sentinel", "s9999.service", false);

    // An alias of what must not be restarted is no way round that.
    host.write(CONFIG, b"[services.bus]\nunit = \"dbus-org.freedesktop.login1\"\n");
    let output = host.try_sh("sentinel polkit-rules --install");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.code() == Some(1) && said.contains("systemd-logind.service"),
        "{said}"
    );
}

/// Whoever owns the agent's user, or may write somewhere near the configuration, gets no rule made.
#[test]
fn only_what_root_alone_can_write_becomes_a_rule() {
    let host = host(&["a.service", "b.service"]);
    host.write(CONFIG, b"[services.a]\nunit = \"a\"\n");
    install(&host);
    let before = host.sh(&format!("cat {RULE}; stat -c %i {RULE}"));
    host.sh("mkdir -p /etc/sentinel/conf.d /var/lib/sentinel && chown sentinel: /var/lib/sentinel");
    let evil = "[services.b]\nunit = \"b\"\n";
    host.write("/var/lib/sentinel/evil.toml", evil.as_bytes());
    host.sh("chown sentinel: /var/lib/sentinel/evil.toml");
    let cases = [
        ("chmod g+w sentinel.toml", "chmod g-w sentinel.toml", "sentinel.toml"),
        (
            "chown sentinel sentinel.toml",
            "chown root sentinel.toml",
            "sentinel.toml",
        ),
        ("chmod o+w /etc/sentinel", "chmod o-w /etc/sentinel", "`/etc/sentinel`"),
        ("chown sentinel conf.d", "chown root conf.d", "conf.d`"),
        ("chmod g+w conf.d", "chmod g-w conf.d", "conf.d`"),
        (
            "ln -s /var/lib/sentinel/evil.toml conf.d/x.toml",
            "rm conf.d/x.toml",
            "/var/lib/sentinel`",
        ),
        (
            "mv conf.d c; ln -s /var/lib/sentinel conf.d",
            "rm conf.d; mv c conf.d",
            "/var/lib/sentinel`",
        ),
        (
            "cp -p /var/lib/sentinel/evil.toml conf.d/x.toml",
            "rm conf.d/x.toml",
            "conf.d/x.toml`",
        ),
        (
            "echo unit = >>sentinel.toml",
            "sed -i '$d' sentinel.toml",
            "invalid TOML",
        ),
        ("mkfifo conf.d/x.toml", "rm conf.d/x.toml", "not a regular file"),
    ];
    for (harm, fix, named) in cases {
        host.sh(&format!("cd /etc/sentinel && {harm}"));
        let output = host.try_sh("sentinel polkit-rules --install");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{harm}: {said}");
        assert!(said.contains(named), "{harm}: {said}");
        assert_eq!(host.sh(&format!("cat {RULE}; stat -c %i {RULE}")), before, "{harm}");
        host.sh(&format!("cd /etc/sentinel && {fix}"));
        assert!(install(&host).contains("unchanged"), "{fix}");
    }
    // Variables are anybody's.
    let with = "SENTINEL__SERVICES__B__UNIT=b sentinel polkit-rules --install";
    let output = host.try_sh(with);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("not looked at"), "{said}");
    assert_eq!(host.sh(&format!("cat {RULE}; stat -c %i {RULE}")), before, "{with}");
    // The agent's user can neither install a rule nor write one.
    let said = run_as(&host, "sentinel", "sentinel polkit-rules --install");
    assert!(said.contains("only root"), "{said}");
    for place in ["/etc/polkit-1/rules.d", "/etc/polkit-1", RULE, "/etc/sentinel", CONFIG] {
        assert_ne!(run_as(&host, "sentinel", &format!("test -w {place}")), "ok", "{place}");
    }
    // A link in place of the rule is somebody's doing; neither it nor what it leads to is touched.
    host.sh(&format!("mv {RULE} /root/kept && ln -s /root/kept {RULE}"));
    let output = host.try_sh("sentinel polkit-rules --install");
    assert_eq!(output.status.code(), Some(1));
    assert!(host.try_sh(&format!("test -L {RULE}")).status.success());
    // A rule that somebody wrote by hand is replaced, and that is reported.
    host.sh(&format!("rm {RULE}; echo '// mine' >{RULE}"));
    assert!(install(&host).contains("had not made"));
    assert_eq!(
        host.sh("ls -A /etc/polkit-1/rules.d"),
        "60-sentinel.rules",
        "nothing is left behind"
    );
}

#[test]
fn every_step_to_a_file_counts() {
    let host = Host::start();
    host.install_tests();
    host.run_test("polkit::inside_every_step_to_a_file_counts");
}

#[test]
#[ignore = "run inside a test host"]
fn inside_every_step_to_a_file_counts() {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, lchown, symlink};

    use sentinel::polkit::{Untrusted, check_trust};

    let folder = Path::new("/root/trust");
    for name in [
        "good/file",
        "good/group",
        "good/world",
        "good/foreign",
        "group/file",
        "sticky/file",
    ] {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("it has one")).expect("it can be made");
        fs::write(&path, "").expect("it can be written");
    }
    let modes = BTreeMap::from([
        ("good", 0o755),
        ("good/file", 0o644),
        ("good/group", 0o664),
        ("good/world", 0o646),
        ("group", 0o775),
        ("sticky", 0o1777),
    ]);
    for (name, mode) in modes {
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(mode)).expect("it can be changed");
    }
    lchown(folder.join("good/foreign"), Some(65534), None).expect("it can be changed");
    let link = |target: &str, name: &str| symlink(target, folder.join(name)).expect("it can be made");
    link("file", "good/link");
    link("foreign", "good/to-foreign");
    link("../group/file", "good/away");
    link("/root/trust/good/file", "group/back");
    link("round", "good/round");
    let seen = |name: &str| match check_trust(&folder.join(name)) {
        Ok(()) => "ok".to_owned(),
        Err(Untrusted::Writable { path, .. }) => {
            let path = path.strip_prefix(folder).expect("what is above is root's");
            path.display().to_string()
        }
        Err(Untrusted::Unseen { source, .. }) => source.to_string(),
    };
    for (name, expected) in [
        ("good/file", "ok"),
        ("good/link", "ok"),
        ("good/../good/link", "ok"),
        ("group/file", "group"),
        ("sticky/file", "sticky"),
        ("good/group", "good/group"),
        ("good/world", "good/world"),
        ("good/foreign", "good/foreign"),
        ("good/to-foreign", "good/foreign"),
        ("good/away", "group"),
        // The end of it is root's, but who may write in `group` may put another link there.
        ("group/back", "group"),
        ("good/round", "too many symbolic links"),
        ("good/none", "No such file or directory (os error 2)"),
    ] {
        assert_eq!(seen(name), expected, "{name}");
    }
}

/// From now on nobody brings the rule up to date but whoever calls the program.
fn leave_the_rule_alone(lab: &Lab) {
    let text = "[Service]\nExecStartPre=\nExecReload=\nExecReload=/usr/bin/sentinel reload\n";
    lab.host
        .write("/etc/systemd/system/sentinel.service.d/rule.conf", text.as_bytes());
    lab.host.sh("systemctl daemon-reload && systemctl restart sentinel");
}

#[test]
fn what_fails_while_polkit_is_away_is_started_when_it_is_back() {
    let unit = "ExecStart=/bin/sleep infinity";
    let lab = Lab::new(&[("shop", unit)], "[services.shop]\nunit = \"shop\"\n");
    lab.host.confine_agent();
    lab.host.sh("systemctl restart sentinel");
    await_permission(&lab.host, "sentinel", "shop.service", true);
    lab.await_state("shop", "healthy");

    lab.host.sh("systemctl mask --runtime --now polkit");
    lab.kill("shop");
    lab.wait("it is held", || lab.status("shop")["hold"]["kind"] == "unanswered");
    assert_eq!(lab.starts("shop"), 1);
    lab.host
        .sh("systemctl unmask --runtime polkit && systemctl start polkit");
    lab.await_state("shop", "healthy");
    assert_eq!(lab.starts("shop"), 2);
    let incident = lab.incidents().pop().expect("there is one");
    assert_eq!(
        (&incident["attempts"], &incident["resolution"]),
        (&1.into(), &"healed".into()),
        "no attempt was spent on the refusals"
    );
}

#[test]
fn an_agent_of_its_own_user_heals_what_it_may_and_reports_of_the_rest() {
    let unit = "ExecStart=/bin/sleep infinity";
    let config = "[services.shop]\nunit = \"shop\"\n[services.other]\nunit = \"other\"\n";
    let lab = Lab::new(&[("shop", unit), ("other", unit)], config);
    lab.host.confine_agent();
    lab.host.sh("systemctl restart sentinel");
    assert_eq!(
        lab.host.sh("stat -c %U /proc/$(systemctl show -P MainPID sentinel)"),
        "sentinel"
    );
    await_permission(&lab.host, "sentinel", "other.service", true);
    lab.await_state("shop", "healthy");
    lab.kill("shop");
    assert_eq!(lab.await_messages(1), ["healed"]);
    assert_eq!(lab.starts("shop"), 2);

    // The rule lacks a unit that is configured, and nobody brings it up to date.
    lab.host.write("/root/shop.toml", b"[services.shop]\nunit = \"shop\"\n");
    let said = lab.host.sh("sentinel polkit-rules --install --config /root/shop.toml");
    assert!(said.contains("removed: other.service"), "{said}");
    await_permission(&lab.host, "sentinel", "other.service", false);
    leave_the_rule_alone(&lab);
    lab.await_log(&["not_permitted", "unit=other.service", "polkit-rules --install"]);
    assert!(!lab.log().contains("unit=shop.service"), "{}", lab.log());

    lab.await_state("other", "healthy");
    lab.kill("other");
    lab.wait("the restart is refused", || {
        lab.status("other")["hold"]["kind"] == "refused"
    });
    let hold = lab.status("other")["hold"]["text"].to_string();
    assert!(
        hold.contains("not allowed to") && hold.contains("polkit-rules --install"),
        "{hold}"
    );
    let incident = lab.incidents().pop().expect("there is one");
    assert_eq!(
        (&incident["service"], &incident["closed_at"]),
        (&"other".into(), &serde_json::Value::Null)
    );
    let id = incident["id"].as_u64().expect("a number");
    let ended = lab.incident(id)["actions"][0]["result"].to_string();
    assert!(ended.contains("not allowed to"), "{ended}");

    // The doctor, asked by root, judges as the agent's user, and names what is to be fixed.
    let (ok, user, findings) = doctor(&lab, "");
    assert!(!ok && user == "sentinel", "{findings:?}");
    for (check, level, words) in [
        (
            "restart",
            "failure",
            "`other.service` may not be restarted by `sentinel`",
        ),
        ("rule", "failure", "lacks `other.service`"),
        ("agent", "failure", "`other` is down"),
    ] {
        let found = findings
            .iter()
            .any(|(c, l, text)| c == check && l == level && text.contains(words));
        assert!(found, "{check} {words}: {findings:#?}");
    }
    // That user asks himself, and cannot see the rule.
    let (ok, _, findings) = doctor(&lab, "setpriv --reuid sentinel --regid sentinel --clear-groups");
    assert!(!ok);
    let said = |check: &str| {
        findings
            .iter()
            .filter(|found| found.0 == check)
            .map(|found| found.2.clone())
            .collect::<String>()
    };
    assert!(said("restart").contains("other.service"), "{findings:#?}");
    assert!(said("rule").contains("only root"), "{findings:#?}");
    assert!(said("journal").contains("cannot read"), "{findings:#?}");

    // Once root has fixed it, a reload has the agent try again.
    lab.host
        .sh("sentinel polkit-rules --install && systemctl reload sentinel");
    lab.await_state("other", "healthy");
    assert_eq!(lab.starts("other"), 2);
    lab.kill("shop");
    lab.wait("shop is started again", || lab.starts("shop") == 3);
    lab.await_state("shop", "healthy");
    let (ok, _, findings) = doctor(&lab, "");
    assert!(ok, "{findings:#?}");
    for check in [
        "user", "agent", "store", "bus", "systemd", "units", "polkit", "rule", "restart", "journal", "docker",
    ] {
        let is_ok = |found: &&(String, String, String)| found.0 == check && found.1 == "ok";
        assert_eq!(findings.iter().filter(is_ok).count(), 1, "{check}: {findings:#?}");
    }
    // It left nothing that the agent cannot open.
    assert_eq!(lab.host.sh("find /var/lib/sentinel ! -user sentinel"), "");
}

/// A service that ends at once leaves a connection waiting, for which its socket triggers it again until that has failed.
const ENDS_UNLESS_BUSY: &str = "ExecStart=/bin/sh -c 'if [ -e /run/busy ]; then exec sleep infinity; fi'";

fn connect(host: &Host, port: u16) {
    host.sh(&format!(
        "timeout 10 bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}; cat <&3' >/dev/null 2>&1 || true"
    ));
}

/// SEMANTICS 1.8, row 20.
#[test]
fn an_agent_of_its_own_user_starts_the_socket_of_an_idle_service_and_reports_of_that_of_a_busy_one() {
    let lab = Lab::new(
        &[("canary", "ExecStart=/bin/sleep infinity")],
        "[services.canary]\nunit = \"canary\"\n",
    );
    let write = |name: &str, text: &str| lab.host.write(&format!("/etc/systemd/system/{name}"), text.as_bytes());
    let starts = "ExecStartPre=/bin/sh -c 'echo start >>/var/tmp/shop.starts'";
    write(
        "shop.service",
        &format!("[Unit]\nStartLimitIntervalSec=0\n[Service]\n{starts}\n{ENDS_UNLESS_BUSY}\n"),
    );
    write(
        "shop.socket",
        "[Socket]\nListenStream=127.0.0.1:9181\nTriggerLimitBurst=3\nTriggerLimitIntervalSec=1\n\
         [Install]\nWantedBy=sockets.target\n",
    );
    lab.host
        .write("/etc/sentinel/conf.d/shop.toml", b"[services.shop]\nunit = \"shop\"\n");
    lab.host.confine_agent();
    lab.host
        .sh("systemctl daemon-reload; systemctl enable --now shop.socket; systemctl restart sentinel");
    await_permission(&lab.host, "sentinel", "shop.service", true);
    connect(&lab.host, 9181);
    assert_eq!(lab.await_messages(1), ["healed"]);
    lab.await_state("shop", "stopped");
    assert_eq!(lab.host.sh("systemctl is-active shop.socket"), "active");
    let incident = lab.incidents().pop().expect("there is one");
    assert_eq!(
        (&incident["service"], &incident["attempts"], &incident["resolution"]),
        (&"shop".into(), &1.into(), &"healed".into())
    );
    lab.await_log(&["trigger_failed", "shop.socket", "trigger-limit-hit"]);
    let starts = lab.starts("shop");

    // Stopped by an operator, it stays so.
    lab.host.sh("systemctl stop shop.socket");
    lab.await_log(&["trigger_stopped", "shop.socket"]);
    lab.host.sh("systemctl restart sentinel");
    lab.wait("it is told", || {
        lab.status("shop")["target"]
            .to_string()
            .contains("shop.socket, which starts it when it is needed, was stopped")
    });
    assert_eq!(
        (
            lab.host.sh("systemctl is-active shop.socket || true"),
            lab.starts("shop")
        ),
        ("inactive".to_owned(), starts)
    );
    assert_eq!(lab.incidents().len(), 1);

    // It fails while nobody does anything about it, and the service is started by hand.
    lab.host.sh("systemctl start shop.socket; sentinel pause shop");
    connect(&lab.host, 9181);
    assert_eq!(lab.host.sh("systemctl is-failed shop.socket"), "failed");
    lab.await_state("shop", "maintenance");
    lab.host
        .sh("touch /run/busy; systemctl start shop; sentinel resume shop");
    let remedy = "systemctl stop shop.service && systemctl start shop.socket shop.service";
    lab.wait("it is told", || lab.received_kinds() == ["healed", "fired"]);
    let (_, reported) = lab.received().pop().expect("there is one");
    assert_eq!(reported["data"]["severity"], "warning", "{reported}");
    assert!(reported.to_string().contains(remedy), "{reported}");
    assert_eq!(lab.host.sh("systemctl is-failed shop.socket"), "failed");
    lab.host.sh(remedy);
    lab.wait("that ends it", || {
        lab.received_kinds().last().is_some_and(|kind| kind == "resolved")
    });
    lab.await_state("shop", "healthy");
    // The doctor finds nothing that is missing, nor too much.
    let (_, _, findings) = doctor(&lab, "");
    for check in ["rule", "restart"] {
        let is_ok = |found: &&(String, String, String)| found.0 == check && found.1 == "ok";
        assert_eq!(findings.iter().filter(is_ok).count(), 1, "{check}: {findings:#?}");
    }
}

/// What `sentinel doctor` says: whether all is well, as whom it looked, and check, level and text of each finding.
fn doctor(lab: &Lab, prefix: &str) -> (bool, String, Vec<(String, String, String)>) {
    let output = lab.host.try_sh(&format!("{prefix} sentinel doctor --json"));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let findings = answer["findings"].as_array().cloned().unwrap_or_default();
    let findings = findings
        .iter()
        .map(|finding| (word(&finding["check"]), word(&finding["level"]), word(&finding["text"])));
    let ok = answer["ok"] == true;
    assert_eq!(output.status.code(), Some(i32::from(!ok)), "{output:?}");
    (ok, word(&answer["user"]), findings.collect())
}
