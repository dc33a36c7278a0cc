//! The systemd watcher and its verbs against a real systemd.
//!
//! Run it by name: `cargo test -p sentinel --test systemd`. It needs a Docker Engine and root. The tests named
//! `inside::...` are run by the others inside a test host.

mod support;

use support::host::Host;

#[test]
fn a_test_host_runs_systemd() {
    let host = Host::start();
    assert_eq!(host.sh("cat /proc/1/comm"), "systemd");
    host.install_tests();
    host.run_test("inside::systemd_is_here");
}

mod inside {
    #[test]
    #[ignore = "runs inside a test host"]
    fn systemd_is_here() {
        assert!(std::path::Path::new("/run/systemd/system").exists());
    }
}
