//! The systemd watcher and its verbs against a real systemd.
//!
//! Run it by name: `cargo test -p sentinel --test systemd`. It needs a Docker Engine and root. The tests named
//! `in_container::...` are run by the others inside a test host, each in a fresh one.

mod in_container;
mod support;

use std::time::Duration;

use support::host::{Host, wait_until};

/// Runs a test inside a fresh host.
fn in_host(name: &str) {
    host_with_units().run_test(&format!("in_container::{name}"));
}

fn host_with_units() -> Host {
    let host = Host::start();
    host.write("/root/units.sh", include_bytes!("support/units.sh"));
    host.sh("sh /root/units.sh");
    host.install_tests();
    host
}

#[test]
fn intent_agrees_with_what_was_done() {
    in_host("scenarios::intent_agrees_with_what_was_done");
}

#[test]
fn what_happened_before_the_watch_is_reported_by_the_journal() {
    in_host("connection_lost::what_happened_before_the_watch_is_reported_by_the_journal");
}

#[test]
fn reload_and_reexec_are_no_incident() {
    in_host("connection_lost::reload_and_reexec_are_no_incident");
}

#[test]
fn connection_is_back_soon_after_a_restart_of_the_bus() {
    in_host("connection_lost::connection_is_back_soon_after_a_restart_of_the_bus");
}

#[test]
fn the_set_of_units_can_change() {
    in_host("connection_lost::the_set_of_units_can_change");
}

#[test]
fn forged_signals_are_not_believed() {
    in_host("connection_lost::forged_signals_are_not_believed");
}

#[test]
fn a_shutdown_is_announced() {
    in_host("connection_lost::a_shutdown_is_announced");
}

#[test]
fn verbs_act_only_on_what_was_decided_about() {
    in_host("verbs::verbs_act_only_on_what_was_decided_about");
}

#[test]
fn a_restart_never_leaves_a_start_limited_unit_down() {
    in_host("verbs::a_restart_never_leaves_a_start_limited_unit_down");
}

#[test]
fn an_operator_wins() {
    in_host("verbs::an_operator_wins");
}

#[test]
fn a_crash_is_seen_and_healed_in_milliseconds() {
    in_host("verbs::a_crash_is_seen_and_healed_in_milliseconds");
}

#[test]
fn who_starts_a_unit_is_reported() {
    in_host("starts::who_starts_a_unit_is_reported");
}

#[test]
fn what_a_job_does_to_others_is_foreseen() {
    in_host("blast::what_a_job_does_to_others_is_foreseen");
}

#[test]
fn a_socket_that_failed_is_started_before_its_service() {
    in_host("triggers::a_socket_that_failed_is_started_before_its_service");
}

#[test]
fn a_socket_that_failed_beside_a_service_that_runs_is_reported() {
    in_host("triggers::a_socket_that_failed_beside_a_service_that_runs_is_reported");
}

#[test]
fn a_socket_that_was_stopped_is_never_started() {
    in_host("triggers::a_socket_that_was_stopped_is_never_started");
}

#[test]
fn a_socket_that_failed_while_its_service_was_idle_is_started_alone() {
    in_host("triggers::a_socket_that_failed_while_its_service_was_idle_is_started_alone");
}

#[test]
fn what_triggers_a_unit_is_known_whether_or_not_it_is_loaded() {
    in_host("triggers::what_triggers_a_unit_is_known_whether_or_not_it_is_loaded");
}

/// The agent's own user may do to some units what a polkit rule says, and reads no journal.
#[test]
fn an_unprivileged_agent_does_what_it_may() {
    const RULE: &str = r#"
        polkit.addRule(function (action, subject) {
            var verbs = ["start", "try-restart", "reset-failed"];
            var units = ["a.service", "limit.service", "limit2.service"];
            if (action.id == "org.freedesktop.systemd1.manage-units" && subject.user == "guest" &&
                verbs.indexOf(action.lookup("verb")) >= 0 && units.indexOf(action.lookup("unit")) >= 0) {
                return polkit.Result.YES;
            }
        });
    "#;
    let host = host_with_units();
    host.sh("useradd --system --user-group guest");
    host.write("/etc/polkit-1/rules.d/50-test.rules", RULE.as_bytes());
    // polkit reads its rules again at once when it is started again.
    host.sh("systemctl restart polkit; systemctl start a b limit limit2; systemctl restart limit2");
    host.sh("kill -9 $(systemctl show -P MainPID a) $(systemctl show -P MainPID b)");
    wait_until("limit was given up", Duration::from_secs(10), || {
        host.sh("systemctl show -P ActiveState limit") == "failed"
    });
    host.run_test_as("guest", "in_container::verbs::an_unprivileged_agent_does_what_it_may");
}
