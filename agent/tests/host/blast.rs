//! What a restart would do to other units is found out first, and what a fall has broken is fixed after it.

use crate::harness::Lab;

const SLEEPER: &str = "ExecStart=/bin/sleep infinity";
const HUB: &str = "ExecStart=/usr/bin/demo-service --listen 127.0.0.1:8080 --chaos";
const REQUIRES: &str = "ExecStart=/bin/sleep infinity\n[Unit]\nRequires=hub.service\nAfter=hub.service";
const BINDS: &str = "ExecStart=/bin/sleep infinity\n[Unit]\nBindsTo=hub.service\nAfter=hub.service";
const MEMBER: &str = "ExecStart=/bin/sleep infinity\n[Unit]\nPartOf=hub.service";

fn hub(more: &str) -> String {
    format!(
        "[alerts]\nnotify_after = \"1s\"\ngroup_wait = \"0s\"\n[services.hub]\nunit = \"hub\"\nhttp = \"http://127.0.0.1:8080/health\"\n{more}\n"
    )
}

fn hang(lab: &Lab) {
    lab.host.sh("curl -sf -X POST http://127.0.0.1:8080/chaos/hang");
}

#[test]
fn restart_that_would_take_others_along_is_held_with_their_names() {
    let units = [
        ("hub", HUB),
        ("requires", REQUIRES),
        ("binds", BINDS),
        ("member", MEMBER),
    ];
    let lab = Lab::new(&units, &hub("may_affect = [\"member\"]"));
    lab.await_state("hub", "healthy");
    let before = lab.main_pid("hub");
    hang(&lab);
    lab.wait("it is held", || lab.status("hub")["hold"]["kind"] == "blast_radius");
    let words = "not restarted: it would restart `binds.service`, `requires.service`; `may_affect` does not allow that";
    let reported = lab.host.try_sh("sentinel status hub");
    let reported = String::from_utf8_lossy(&reported.stdout).into_owned();
    assert!(reported.contains(words), "{reported}");
    lab.await_log(&["service=hub", "event=held", words]);
    assert_eq!(lab.await_messages(1), ["fired"]);
    let (_, fired) = &lab.received()[0];
    assert_eq!(fired["data"]["doing"], words);
    assert_eq!(lab.main_pid("hub"), before, "nothing was done");
    for (unit, _) in units {
        assert_eq!(lab.starts(unit), 1, "{unit}");
    }
    assert_eq!(lab.status("hub")["attempts_left"], 5, "what was not done is not spent");

    // An operator may.
    lab.host.sh("sentinel restart hub");
    lab.await_state("hub", "healthy");
    for (unit, _) in units {
        assert_eq!(lab.starts(unit), 2, "{unit}");
    }
    assert_eq!(lab.await_messages(2), ["fired", "resolved"]);
}

#[test]
fn restart_takes_along_what_is_allowed_or_comes_after() {
    let units = [
        ("hub", HUB),
        ("requires", REQUIRES),
        ("binds", BINDS),
        ("member", MEMBER),
    ];
    let more = "may_affect = [\"mem*\", \"requires\"]\n[services.app]\nunit = \"binds\"\nafter = [\"hub\"]";
    let lab = Lab::new(&units, &hub(more));
    lab.await_state("hub", "healthy");
    lab.await_state("app", "healthy");
    hang(&lab);
    lab.wait("it is healed", || {
        lab.incidents()
            .first()
            .is_some_and(|incident| incident["resolution"] == "healed")
    });
    for (unit, _) in units {
        lab.wait("it is back", || lab.starts(unit) == 2);
    }
    lab.await_state("app", "healthy");
    assert_eq!(
        lab.starts("binds"),
        2,
        "systemd restarted it; the agent had nothing to do"
    );
}

#[test]
fn start_that_would_stop_a_rival_is_held_and_one_that_hurts_nothing_is_not() {
    let jealous = "ExecStart=/bin/sleep infinity\n[Unit]\nConflicts=rival.service";
    let units = [
        ("jealous", jealous),
        ("rival", SLEEPER),
        ("hub", SLEEPER),
        ("requires", REQUIRES),
    ];
    let config = "[services.jealous]\nunit = \"jealous\"\n[services.hub]\nunit = \"hub\"";
    // `rival` was started last, which stopped `jealous`; both run from here on.
    let lab = Lab::new(&units, config);
    lab.host
        .sh("systemctl start --job-mode=ignore-dependencies jealous rival");
    lab.await_state("jealous", "healthy");
    lab.kill("jealous");
    lab.wait("it is held", || lab.status("jealous")["hold"]["kind"] == "blast_radius");
    assert_eq!(lab.host.sh("systemctl is-active rival"), "active");
    let reported = lab.status("jealous");
    let words = "not restarted: it would stop `rival.service`; `may_affect` does not allow that";
    assert_eq!(reported["hold"]["text"], words, "{reported:#}");

    // A start after a crash does nothing to dependents, so it needs no leave.
    lab.await_state("hub", "healthy");
    lab.kill("hub");
    lab.wait("hub is back", || lab.starts("hub") == 2);
    lab.await_state("hub", "healthy");
    assert_eq!(lab.starts("requires"), 1);
}
#[test]
fn child_that_its_parents_crash_took_down_is_started_once_after_the_parent() {
    let units = [
        ("hub", SLEEPER),
        ("binds", BINDS),
        ("requires", REQUIRES),
        ("member", MEMBER),
    ];
    let config = "[alerts]\nnotify_after = \"0s\"\ngroup_wait = \"0s\"\n[services.hub]\nunit = \"hub\"\n\
                  [services.binds]\nunit = \"binds\"\nafter = [\"hub\"]\n\
                  [services.requires]\nunit = \"requires\"\nafter = [\"hub\"]\n\
                  [services.member]\nunit = \"member\"\nafter = [\"hub\"]\n";
    let lab = Lab::new(&units, config);
    for (unit, _) in units {
        lab.await_state(unit, "healthy");
    }
    lab.kill("hub");
    lab.wait("the child is back", || lab.starts("binds") == 2);
    for (unit, _) in units {
        lab.await_state(unit, "healthy");
    }
    assert_eq!(lab.starts("hub"), 2);
    assert_eq!(lab.starts("binds"), 2);
    assert_eq!(
        (lab.starts("requires"), lab.starts("member")),
        (1, 1),
        "a crash does not touch these"
    );

    // What an operator stops stays down, with all that hangs on it, also when the parent is started again.
    lab.host.sh("systemctl stop hub");
    for (unit, _) in units {
        lab.await_state(unit, "stopped");
    }
    lab.host.sh("systemctl start hub");
    lab.await_state("hub", "healthy");
    // The agent is awake and acts.
    lab.kill("hub");
    lab.wait("hub is back", || lab.starts("hub") == 4);
    lab.await_state("hub", "healthy");
    for unit in ["binds", "requires", "member"] {
        assert_eq!(lab.state(unit), "stopped", "{unit}");
        assert_ne!(
            lab.host.try_sh(&format!("systemctl is-active {unit}")).status.code(),
            Some(0),
            "{unit}"
        );
    }
}

#[test]
fn child_is_started_also_when_systemd_itself_restarts_the_parent() {
    let parent = "ExecStart=/bin/sleep infinity\nRestart=always\nRestartSec=200ms";
    let slow = "ExecStart=/bin/sh -c 'trap \"sleep 1; exit 0\" TERM; while :; do sleep 0.1; done'\n\
                [Unit]\nBindsTo=hub.service\nAfter=hub.service";
    let config = "[services.hub]\nunit = \"hub\"\n\
                  [services.binds]\nunit = \"binds\"\nafter = [\"hub\"]\n\
                  [services.slow]\nunit = \"slow\"\nafter = [\"hub\"]\n";
    let lab = Lab::new(&[("hub", parent), ("binds", BINDS), ("slow", slow)], config);
    for unit in ["hub", "binds", "slow"] {
        lab.await_state(unit, "healthy");
    }
    lab.kill("hub");
    for unit in ["binds", "slow"] {
        lab.wait("the child is back", || lab.starts(unit) == 2);
    }
    for unit in ["hub", "binds", "slow"] {
        lab.await_state(unit, "healthy");
        assert_eq!(lab.starts(unit), 2, "{unit}");
    }
}
