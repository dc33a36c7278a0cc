//! The systemd watcher and its verbs against a real systemd.
//!
//! Run it by name: `cargo test -p sentinel --test systemd`. It needs a Docker Engine and root. The tests named
//! `inside::...` are run by the others inside a test host, each in a fresh one.

mod inside;
mod support;

use support::host::Host;

/// Runs a test inside a fresh host.
fn in_host(name: &str) {
    let host = Host::start();
    host.write("/root/units.sh", include_bytes!("support/units.sh"));
    host.sh("sh /root/units.sh");
    host.install_tests();
    host.run_test(&format!("inside::{name}"));
}

#[test]
fn intent_agrees_with_what_was_done() {
    in_host("scenarios::intent_agrees_with_what_was_done");
}

#[test]
fn what_happened_before_the_watch_is_told_by_the_journal() {
    in_host("sight::what_happened_before_the_watch_is_told_by_the_journal");
}

#[test]
fn reload_and_reexec_are_no_incident() {
    in_host("sight::reload_and_reexec_are_no_incident");
}

#[test]
fn sight_is_back_soon_after_a_restart_of_the_bus() {
    in_host("sight::sight_is_back_soon_after_a_restart_of_the_bus");
}

#[test]
fn the_set_of_units_can_change() {
    in_host("sight::the_set_of_units_can_change");
}

#[test]
fn forged_signals_are_not_believed() {
    in_host("sight::forged_signals_are_not_believed");
}

#[test]
fn a_shutdown_is_announced() {
    in_host("sight::a_shutdown_is_announced");
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
