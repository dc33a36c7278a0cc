//! The agent among those who could harm it: itself, standing still, and another of its kind.

use crate::built::OLD;
use crate::harness::{Lab, said};

#[test]
fn a_blocked_core_is_restarted_by_systemd() {
    let lab = Lab::with(OLD);
    let host = &lab.host;
    lab.await_active();
    let (run, pid) = (lab.property("InvocationID"), lab.property("MainPID"));
    host.sh(&format!("kill -STOP {pid}"));
    lab.wait("systemd has started another", || {
        lab.property("InvocationID") != run && lab.property("ActiveState") == "active"
    });
    assert_ne!(lab.property("MainPID"), pid);
    assert_eq!(lab.property("NRestarts"), "1");
    let log = host.sh("journalctl --no-pager -o cat -u sentinel");
    assert!(log.contains("Watchdog timeout"), "{log}");
    host.sh("sentinel health");
}

#[test]
fn a_second_agent_refuses_to_run() {
    let lab = Lab::with(OLD);
    let host = &lab.host;
    lab.await_active();
    let pid = lab.property("MainPID");
    let second = host.try_sh("runuser -u sentinel -- timeout 120 sentinel run");
    assert_eq!(second.status.code(), Some(1), "{}", said(&second));
    let text = said(&second);
    assert!(text.contains(&format!("another agent (pid {pid}) is using")), "{text}");
    host.sh("sentinel health");
    assert_eq!(lab.property("MainPID"), pid, "the first one goes on");
}
